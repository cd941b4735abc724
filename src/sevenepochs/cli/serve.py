"""`serve`."""

from __future__ import annotations

import webbrowser
from typing import Annotated

from tyro.conf import UseAppendAction, arg

from sevenepochs.cli.console import console, note
from sevenepochs.cli.options import Positional, Runs, Titles
from sevenepochs.errors import UserError, install


def serve(
    names: Positional[Annotated[tuple[str, ...], arg(metavar="RUN ...")]] = (),
    *,
    runs: Runs,
    titles: Titles,
    port: int = 8707,
    host: str = "127.0.0.1",
    allow_host: Annotated[UseAppendAction[tuple[str, ...]], arg(metavar="NAME")] = (),
    open: bool = False,
) -> None:
    """Open a web page on runs: type a headline and see what they expect, sample, compare, browse titles and curves.

    The titles of --corpus are read, and fetched where need be, before the page opens.

    Args:
        names: Run folders, or how their names begin or end; none for the newest complete ones.
        port: The page's port; 0 takes any free one.
        host: Another address than this machine's own opens the page to the network, without a password; 0.0.0.0 stands
            for all of this machine's addresses.
        allow_host: The name in the browser's address where a proxy stands before the page (JupyterHub, code-server,
            nginx); may be repeated.
        open: Open the page in the browser.
    """
    try:
        import starlette  # noqa: F401
        import uvicorn  # noqa: F401
    except ModuleNotFoundError as error:
        raise UserError(f"the page needs {error.name}; install it with: {install('serve')}") from None
    from sevenepochs.serve import server

    proxies = [server.proxy_name(name) for name in allow_host]
    corpus = titles.config()
    chosen = server.choose_runs(names, runs.folder)
    runs.import_classes()
    if corpus is not None:
        corpus.load(note)  # now: mistakes end the command, and no click on the page begins a download
    listener = server.listen(host, port)
    from sevenepochs.ask.model import one_thread
    from sevenepochs.serve.app import create_app
    from sevenepochs.serve.guard import Limits
    from sevenepochs.serve.models import OpenModels

    one_thread()
    limits = Limits()
    hosts = server.allowed_hosts(host, listener, proxies)
    app = create_app(OpenModels(chosen, limits), limits, hosts=hosts, corpus=corpus)
    names_of_runs = ", ".join(run.name for run in chosen)
    console.print(f"{len(chosen)} run{'s' * (len(chosen) != 1)}: {names_of_runs}", soft_wrap=True)
    address = server.address_of(listener)
    console.print(f"open {address}   (Ctrl-C ends it)", markup=False, soft_wrap=True)
    if (elsewhere := server.address_for_others(listener)) is not None:
        warning = f"Everybody who can reach this machine can use the page, at {elsewhere}; there is no password."
        console.print(warning, style="red", markup=False, soft_wrap=True)  # [fd00::1] is no style
    if open:
        webbrowser.open(address)
    server.serve_until_stopped(app, listener, limits)
    console.print("stopped")
