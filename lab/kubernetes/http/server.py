"""One API server: an aiohttp application behind TLS on one or two loopback addresses."""

from __future__ import annotations

import ssl

from aiohttp import web

from lab.kubernetes.http.routes import Routes

__all__ = ["ApiServer"]

# Large lists and CRDs with their schemas; etcd's own limit is 1.5 MiB an object.
_LARGEST_BODY = 16 * 1024 * 1024
# Open watches are cut when a server stops, as when its process ends.
_SHUTDOWN_S = 0.01


class ApiServer:
    """Answers requests for one control plane; `listen` once an address."""

    def __init__(self, routes: Routes) -> None:
        self._routes = routes
        self._runner: web.AppRunner | None = None
        self._sites: dict[str, web.TCPSite] = {}

    async def listen(self, host: str, port: int, context: ssl.SSLContext) -> None:
        """Begin to answer on `host`:`port`.

        Raises:
            OSError: somebody else listens there.
        """
        if self._runner is None:
            application = web.Application(client_max_size=_LARGEST_BODY)
            application.router.add_route("*", "/{path:.*}", self._routes.answer)
            self._runner = web.AppRunner(
                application,
                access_log=None,
                shutdown_timeout=_SHUTDOWN_S,
                handler_cancellation=True,
            )
            await self._runner.setup()
        site = web.TCPSite(self._runner, host, port, ssl_context=context, reuse_address=True)
        await site.start()
        self._sites[host] = site

    async def close(self) -> None:
        """Stop answering; open connections are cut."""
        self._sites.clear()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
