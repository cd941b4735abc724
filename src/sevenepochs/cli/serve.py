"""`serve`."""

from __future__ import annotations

from typing import Annotated

import tyro

from sevenepochs.cli.options import Positional, Runs, Titles
from sevenepochs.errors import UserError, install

AllowedHosts = Annotated[tyro.conf.UseAppendAction[tuple[str, ...]], tyro.conf.arg(metavar="NAME")]


def serve(
    names: Positional[Annotated[tuple[str, ...], tyro.conf.arg(metavar="RUN ...")]] = (),
    *,
    runs: Runs,
    titles: Titles,
    port: int = 8707,
    host: str = "127.0.0.1",
    allow_host: AllowedHosts = (),
    open: bool = False,
) -> None:
    """Open a web page on runs: type a headline and see what they expect, sample, compare, browse titles and curves.

    The titles of --corpus are read, and fetched where need be, before the page opens.

    Args:
        names: Run folders, or how their names begin or end; none for the newest complete ones.
        port: 0 takes any free one.
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
    import webbrowser

    from sevenepochs.cli.console import console, errors
    from sevenepochs.serve.server import address_for_others, address_of, allowed_hosts, choose_runs, listen, proxy_name

    proxies = [proxy_name(name) for name in allow_host]
    titles_from = titles.config()
    chosen = choose_runs(names, runs.folder)
    runs.import_classes()
    if titles_from is not None:
        # read once already: what is wrong with them is said here, and a download is announced here and not begun by a
        # click on the page
        titles_from.load(lambda message: errors.print(message, style="dim", markup=False, soft_wrap=True))
    listener = listen(host, port)
    from sevenepochs.ask.model import one_thread
    from sevenepochs.serve.app import create_app
    from sevenepochs.serve.guard import Limits
    from sevenepochs.serve.models import OpenModels
    from sevenepochs.serve.server import serve_until_stopped

    one_thread()
    limits = Limits()
    app = create_app(
        OpenModels(chosen, limits), limits, hosts=allowed_hosts(host, listener, proxies), corpus=titles_from
    )
    console.print(
        f"{len(chosen)} run{'s' * (len(chosen) != 1)}: {', '.join(run.name for run in chosen)}", soft_wrap=True
    )
    console.print(f"open {address_of(listener)}   (Ctrl-C ends it)", markup=False, soft_wrap=True)
    if (elsewhere := address_for_others(listener)) is not None:
        console.print(
            f"Everybody who can reach this machine can use the page, at {elsewhere}; there is no password.",
            style="red",
            markup=False,  # [fd00::1] is no style
            soft_wrap=True,
        )
    if open:
        webbrowser.open(address_of(listener))
    serve_until_stopped(app, listener, limits)
    console.print("stopped")
