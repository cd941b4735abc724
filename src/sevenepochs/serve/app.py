"""The web application: which address answers what. Models compute in one thread, files are read in another."""

from __future__ import annotations

import asyncio
import contextlib
import json
import mimetypes
from collections.abc import AsyncIterator
from importlib import resources
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from sevenepochs.ask.samples import Drawing
from sevenepochs.data import check_text
from sevenepochs.data.corpus.base import CorpusConfig
from sevenepochs.errors import UserError
from sevenepochs.serve import facts
from sevenepochs.serve.answers import predict, sample
from sevenepochs.serve.guard import Guard, Hosts, Limits, Refusal
from sevenepochs.serve.models import OpenModels, PrefixCache
from sevenepochs.serve.worker import Worker

_OPENED_AT_START = 2  # the two that the page shows first
_SHOWN_LIMITS = ("text_chars", "samples", "sample_tokens", "streams", "titles")


class _Page:
    """Holds what the handlers share; `routes` lists them."""

    def __init__(self, models: OpenModels, limits: Limits, corpus: CorpusConfig | None) -> None:
        self._models = models
        self._limits = limits
        self._corpus = corpus
        self._torch = Worker("torch", limits.waiting, limits.wait_seconds)
        # loading a corpus or a model takes a second or two, and keystrokes must not wait for it
        self._files = Worker("files", limits.waiting, 4 * limits.wait_seconds)
        self._streams = asyncio.Semaphore(limits.streams)
        self._titles: dict[str, dict[str, Any]] = {}

    def routes(self) -> list[Route]:
        return [
            *_static(),
            Route("/api/runs", self.runs),
            Route("/api/curves/{name}", self.curves),
            Route("/api/details/{name}", self.details),
            Route("/api/titles/{name}", self.titles),
            Route("/api/predict", self.predict, methods=["POST"]),
            Route("/api/sample", self.sample, methods=["POST"]),
        ]

    @contextlib.asynccontextmanager
    async def lifespan(self, app: Starlette) -> AsyncIterator[None]:
        opening = [asyncio.create_task(self._try_open(name)) for name in self._models.names[:_OPENED_AT_START]]
        try:
            yield
        finally:
            for task in opening:
                task.cancel()
            self._torch.close()
            self._files.close()

    async def runs(self, request: Request) -> Response:
        overviews = await self._files.run(lambda: [self._overview(name) for name in self._models.names])
        limits = {name: getattr(self._limits, name) for name in _SHOWN_LIMITS}
        return JSONResponse({"runs": overviews, "limits": limits})

    async def curves(self, request: Request) -> Response:
        run = self._models.run(request.path_params["name"])
        return JSONResponse(await self._files.run(lambda: facts.curves(run, self._limits.curve_points)))

    async def details(self, request: Request) -> Response:
        run = self._models.run(request.path_params["name"])
        return JSONResponse(await self._files.run(lambda: facts.details(run)))

    async def titles(self, request: Request) -> Response:
        name = request.path_params["name"]
        run = self._models.run(name)

        def read() -> dict[str, Any]:
            if name not in self._titles:  # a complete run's losses do not change
                self._titles[name] = facts.extreme_titles(run, self._limits.titles, self._corpus)
            return self._titles[name]

        return JSONResponse(await self._files.run(read))

    async def predict(self, request: Request) -> Response:
        body = await self._body(request)
        name, text, told = _text(body, "run", 200), self._typed(body), _facts(body)
        client = f"{_text(body, 'client', 64)} {name}"
        prefixes = await self._open(name)
        answer = await self._torch.run(lambda: predict(prefixes, text, told), client)
        return JSONResponse({"run": name, "text": text, **answer})

    async def sample(self, request: Request) -> ASGIApp:
        body, limits = await self._body(request), self._limits
        name = _text(body, "run", 200)
        prompt = self._typed(body)
        drawing = Drawing(
            temperature=_number(body, "temperature", 0.0, 2.0),
            top_k=int(_number(body, "top_k", 0, 1_000_000, whole=True)) or None,  # 0: all tokens
            seed=int(_number(body, "seed", 0, 2**32 - 1, whole=True)),
            max_tokens=limits.sample_tokens,
        )
        n = int(_number(body, "n", 1, limits.samples, whole=True))

        if self._streams.locked():
            raise Refusal(503, f"{limits.streams} samplings are going on already; try again in a moment")
        with contextlib.ExitStack() as held:
            await self._streams.acquire()  # before the wait for the model, in which others may ask
            held.callback(self._streams.release)
            model = (await self._open(name)).model
            lines = sample(model, self._torch, prompt, n, drawing, lambda: self._models.run(name))
            return _holding(held.pop_all(), StreamingResponse(lines, media_type="application/x-ndjson"))

    def _overview(self, name: str) -> dict[str, Any]:
        try:
            return facts.overview(self._models.run(name))
        except Refusal as refusal:
            return {"name": name, "state": "gone", "error": refusal.message}

    async def _open(self, name: str) -> PrefixCache:
        found = self._models.opened(name)
        return found if found is not None else await self._files.run(lambda: self._models.open(name))

    async def _try_open(self, name: str) -> None:
        with contextlib.suppress(Refusal):  # the page will be told when it asks
            await self._open(name)

    async def _body(self, request: Request) -> dict[str, Any]:
        """The request's JSON object, read within the limits of size and time."""
        if not request.headers.get("content-type", "").startswith("application/json"):
            raise Refusal(422, "send JSON, with content-type application/json")
        data = bytearray()
        try:
            async with asyncio.timeout(self._limits.body_seconds):
                async for chunk in request.stream():
                    data += chunk
                    if len(data) > self._limits.body_bytes:
                        raise Refusal(413, f"the request is longer than {self._limits.body_bytes:,} bytes")
        except TimeoutError:
            raise Refusal(408, "the request took too long to arrive") from None
        try:
            body = json.loads(data)
        except (ValueError, RecursionError):
            raise Refusal(422, "the request is not JSON") from None
        if not isinstance(body, dict):
            raise Refusal(422, "the request is not a JSON object")
        return body

    def _typed(self, body: dict[str, Any]) -> str:
        text = body.get("text")
        if not isinstance(text, str):
            raise Refusal(422, "text must be a string")
        if len(text) > self._limits.text_chars:
            most = self._limits.text_chars
            raise Refusal(413, f"the headline has {len(text):,} characters; at most {most:,} are read")
        try:
            return check_text(text, "the headline")
        except UserError as error:
            raise Refusal(422, str(error)) from None


def create_app(
    models: OpenModels, limits: Limits | None = None, *, hosts: Hosts, corpus: CorpusConfig | None = None
) -> Starlette:
    """Return the application.

    Args:
        hosts: names under which it may be addressed.
        corpus: where the titles are, if not where the runs found them.
    """
    page = _Page(models, limits or Limits(), corpus)
    app = Starlette(
        routes=page.routes(),
        lifespan=page.lifespan,
        middleware=[Middleware(Guard, hosts=hosts)],
        exception_handlers={HTTPException: _error, UserError: _error, ClientDisconnect: _error},
    )
    app.router.redirect_slashes = False  # an address is right or wrong
    return app


async def _error(request: Request, error: Exception) -> Response:
    if isinstance(error, ClientDisconnect):
        return Response(status_code=499)
    if not isinstance(error, HTTPException):
        return JSONResponse({"error": str(error)}, 410)
    if error.status_code == 204:
        return Response(status_code=204)
    return JSONResponse({"error": error.detail}, error.status_code)


def _holding(held: contextlib.ExitStack, response: ASGIApp) -> ASGIApp:
    """The response; `held` is let go when it has been sent, or could not be."""

    async def respond(scope: Scope, receive: Receive, send: Send) -> None:
        with held:
            await response(scope, receive, send)

    return respond


def _static() -> list[Route]:
    """The files of static/, read once: no path ever comes from a request."""
    routes = []
    for file in resources.files("sevenepochs.serve").joinpath("static").iterdir():
        kind = "text/javascript" if file.name.endswith(".js") else mimetypes.guess_type(file.name)[0]
        address = "/" if file.name == "index.html" else f"/{file.name}"
        routes.append(Route(address, Response(file.read_bytes(), media_type=kind), methods=["GET"]))
    return routes


def _text(body: dict[str, Any], key: str, longest: int) -> str:
    value = body.get(key)
    if not isinstance(value, str) or len(value) > longest:
        raise Refusal(422, f"{key} must be a string of at most {longest} characters")
    return value


def _facts(body: dict[str, Any]) -> dict[str, str]:
    facts = body.get("facts", {})
    if not isinstance(facts, dict) or any(not isinstance(value, str) or len(value) > 200 for value in facts.values()):
        raise Refusal(422, "facts must be an object of strings of at most 200 characters")
    return facts


def _number(body: dict[str, Any], key: str, low: float, high: float, whole: bool = False) -> float:
    value = body.get(key)
    is_number = isinstance(value, int if whole else (int, float)) and not isinstance(value, bool)
    if value is None or not is_number or not low <= value <= high:  # nor is NaN between them
        raise Refusal(422, f"{key} must be {'a whole number' if whole else 'a number'} from {low:,} to {high:,}")
    return value
