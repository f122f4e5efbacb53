"""Step: fetch the kubeconfig through a node."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from lifecycle.drivers.files import write_private
from lifecycle.drivers.kubernetes import parse_kubeconfig
from lifecycle.drivers.talosctl import TalosctlError
from lifecycle.engine import Answer, Needed, Patience, Satisfied
from lifecycle.errors import ApiError, LifecycleError, TransientError, UnauthorizedError
from lifecycle.secrets import Secret
from lifecycle.world import World

__all__ = ["FetchKubeconfig"]


@dataclass(frozen=True, slots=True)
class FetchKubeconfig:
    """Safe to repeat: a new admin certificate replaces the kept file in one move.

    The file goes into the state directory, never into the user's default kubeconfig, and is
    fetched through a node's own address, since the VIP needs an elected etcd first.
    """

    world: World
    after: tuple[str, ...] = ()
    name: str = "fetch-kubeconfig"
    title: str = "Fetch kubeconfig"
    patience: Patience = Patience(stall=timedelta(minutes=10), deadline=timedelta(minutes=20))

    async def probe(self) -> Answer:
        """Try the kept kubeconfig against the cluster."""
        path = self.world.places.kubeconfig
        if not path.exists():
            return Needed("no kubeconfig for this cluster yet")
        try:
            parse_kubeconfig(Secret(path.read_bytes()))
            api = await self.world.access.api()
        except UnauthorizedError:
            return Needed("kept kubeconfig is of another CA, or has expired")
        except ApiError as error:
            # Whether an API server that is still starting would take it is the next gate's
            # question; a kubeconfig that was just fetched is as good as it gets.
            return Satisfied(f"kept; {error.message}")
        except LifecycleError as error:
            return Needed(f"kept kubeconfig is damaged: {error.message}")
        return Satisfied(f"{await api.version()} answers")

    async def apply(self) -> None:
        """Ask the first control plane."""
        try:
            secret = await self.world.talosctl.kubeconfig(self.world.first_control_plane.address)
        except TalosctlError as error:
            raise TransientError(error.message, step=self.name) from error
        write_private(self.world.places.kubeconfig, secret.reveal())
