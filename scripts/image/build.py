"""Builds the worker's container image, and pushes it to a registry.

    python -m scripts.image.build build [--base NAME@sha256:…] [--platform linux/arm64]
    python -m scripts.image.build push REPOSITORY --username NAME < password
    python -m scripts.image.build tag

`worker/Dockerfile.dockerignore` lists the files that get into the image. The tag is a digest of
them, so the same sources have the same tag. The first of docker, podman and buildah that answers
builds the image; the environment variable CONTAINER_ENGINE chooses another.
"""

import argparse
import hashlib
import os
import re
import shutil
import sys
import tempfile
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from scripts import ScriptError
from scripts.image import pip_access, registry
from scripts.image.container_engine import Build, Credentials, Engine, find_engine
from scripts.image.registry import RegistryError

CHECKOUT = Path(__file__).resolve().parents[2]
NAME = "sesbounce"

_DOCKERFILE = Path("worker/Dockerfile")
_ALLOWED = Path("worker/Dockerfile.dockerignore")
_BASE = re.compile(r"^ARG PYTHON_IMAGE=(\S+)$", re.MULTILINE)
_PINNED = re.compile(r"@sha256:[0-9a-f]{64}$")
_TAG_DIGITS = 12


class ImageError(ScriptError):
    """The image can't be built as requested."""


@dataclass(frozen=True)
class Image:
    """An image that an engine holds.

    Attributes:
        name: name and tag, such as `sesbounce:sha-0123456789ab`.
        id: the digest of its configuration, `sha256:…`.
        size: of its layers unpacked, the base's included, such as `215 MB`.
        engine: the engine that holds it.
    """

    name: str
    id: str
    size: str
    engine: Engine


def build(
    tag: str | None = None,
    platform: str | None = None,
    base: str | None = None,
    *,
    require_pinned: bool = False,
    root: Path = CHECKOUT,
) -> Image:
    """Build the worker's image; the engine's output goes to standard error.

    Args:
        tag: its tag, by default the `content_tag`; it gets the tag `latest` as well.
        platform: such as `linux/arm64`; by default this machine's.
        base: the base image; by default the one in the Dockerfile.
        require_pinned: refuse a base without a digest.
        root: the checkout.

    Raises:
        ImageError: the base has no digest, or a file is missing.
        EngineError: there is no engine, or the build fails.
    """
    base = base or default_base(root)
    if require_pinned and not is_pinned(base):
        raise ImageError(
            f"The base {base} is a tag, whose image can change. Add its digest, {base}@sha256:…, "
            f"with --base or in {_DOCKERFILE}. docs/image.md shows how to find it"
        )
    engine = find_engine()
    # Nobody else can read the folder: the settings for PyPI may hold a password.
    with tempfile.TemporaryDirectory(prefix="sesbounce-image-") as folder:
        context = Path(folder, "context")
        _stage(context, root)
        # The tag is that of the copy, which nobody edits meanwhile.
        name = f"{NAME}:{tag or content_tag(platform, base, root=context)}"
        id_ = engine.build(
            Build(
                context=context,
                dockerfile=context / _DOCKERFILE,
                names=[name, f"{NAME}:latest"],
                arguments={"PYTHON_IMAGE": base},
                labels={
                    "org.opencontainers.image.version": _version(context),
                    "org.opencontainers.image.base.name": base,
                },
                secrets=pip_access.secrets(Path(folder)),
                platform=platform,
                created=_created(),
            )
        )
    return Image(name, id_, engine.size(name), engine)


def content_tag(
    platform: str | None = None, base: str | None = None, *, root: Path = CHECKOUT
) -> str:
    """The tag of the image that would be built: `sha-` and 12 hexadecimal digits.

    It is a digest of the Dockerfile, all the files that it copies, the base's name and the
    platform. A base without a digest may change while its name stays the same: see `pinned`.
    """
    digest = hashlib.sha256(f"{base or default_base(root)}\0{platform or ''}\0".encode())
    for path in (_DOCKERFILE, *context_files(root)):
        content = (root / path).read_bytes()
        digest.update(f"{path.as_posix()}\0{len(content)}\0".encode() + content)
    return f"sha-{digest.hexdigest()[:_TAG_DIGITS]}"


def push(image: Image, repository: str, credentials: Credentials | None = None) -> str:
    """Push an image under its tag.

    Args:
        image: what `build` returned.
        repository: registry and repository, without a tag.
        credentials: by default the engine's own for the registry.

    Returns:
        The image with its digest there, `REPOSITORY@sha256:…`.

    Raises:
        EngineError: the registry rejects it, or can't be reached.
    """
    tag = image.name.rpartition(":")[2]
    return image.engine.push(image.name, f"{repository}:{tag}", credentials)


def default_base(root: Path = CHECKOUT) -> str:
    """The base image in the Dockerfile.

    Raises:
        ImageError: the Dockerfile has none.
    """
    found = _BASE.search((root / _DOCKERFILE).read_text(encoding="utf-8"))
    if found is None:
        raise ImageError(f"{_DOCKERFILE} has no line `ARG PYTHON_IMAGE=NAME`; restore it")
    return found[1]


def pinned(base: str, say: Callable[[str], None]) -> str:
    """A base with the digest that it has at present, so that a newer base gives another tag.

    Args:
        base: the base image.
        say: called with a warning where the registry does not tell the digest.

    Returns:
        `NAME:TAG@sha256:…`, or the base as it is, where the registry does not tell.
    """
    if is_pinned(base):
        return base
    try:
        return f"{base}@{registry.digest(base)}"
    except RegistryError as error:
        say(
            f"{error} The base {base} is a tag, whose image can change, and a newer one goes "
            f"unnoticed. To name the digest yourself: --base {base}@sha256:…; see docs/image.md"
        )
        return base


def is_pinned(base: str) -> bool:
    """Whether the reference of an image has a digest, so that its image can't change."""
    return bool(_PINNED.search(base))


def context_files(root: Path = CHECKOUT) -> list[Path]:
    """The files that can get into the image, relative to the checkout and sorted.

    `Dockerfile.dockerignore` alone decides which.

    Raises:
        ImageError: a file that it allows is missing.
    """
    lines = (root / _ALLOWED).read_text(encoding="utf-8").splitlines()
    return sorted(path for line in lines if line.startswith("!") for path in _found(line[1:], root))


def _found(pattern: str, root: Path) -> list[Path]:
    paths = [path.relative_to(root) for path in root.glob(pattern) if path.is_file()]
    if not paths:
        raise ImageError(
            f"{pattern} is missing, and {_ALLOWED} allows it into the image; restore it"
        )
    return paths


def _stage(context: Path, root: Path) -> None:
    """Copy only the files that a build reads; all get the same times and modes."""
    for path in (_DOCKERFILE, _ALLOWED, *context_files(root)):
        target = context / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root / path, target)
        target.chmod(0o644)
    for path in (context, *context.rglob("*")):
        if path.is_dir():
            path.chmod(0o755)
        os.utime(path, (_created(), _created()))


def _created() -> int:
    """The creation time of images, in seconds since 1970: fixed, so that it changes no digest."""
    return int(os.environ.get("SOURCE_DATE_EPOCH") or 0)


def _version(root: Path) -> str:
    project = tomllib.loads((root / "worker/pyproject.toml").read_text(encoding="utf-8"))
    return str(project["project"]["version"])


# --- The command line ---------------------------------------------------------------------------


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return the exit status."""
    options = _parser().parse_args(arguments)
    try:
        return _run(options)
    except ScriptError as error:
        print(f"image: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("image: interrupted", file=sys.stderr)
        return 130


def _run(options: argparse.Namespace) -> int:
    base = options.base or default_base()
    if not getattr(options, "require_pinned", False):
        base = pinned(base, lambda warning: print(f"image: {warning}", file=sys.stderr))
    if options.command == "tag":
        print(content_tag(options.platform, base))
        return 0
    credentials = None
    if options.command == "push" and options.username:
        credentials = Credentials(options.username, sys.stdin.readline().strip())
    image = build(
        getattr(options, "tag", None),
        options.platform,
        base,
        require_pinned=options.require_pinned,
    )
    print(f"{image.name}  {image.id}  {image.size}")
    if options.command == "push":
        print(push(image, options.repository, credentials))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m scripts.image.build",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    what = argparse.ArgumentParser(add_help=False)
    what.add_argument("--base", metavar="IMAGE", help="the base image, NAME@sha256:…")
    what.add_argument("--platform", help="such as linux/arm64 (default: this machine's)")
    how = argparse.ArgumentParser(add_help=False)
    how.add_argument(
        "--require-pinned",
        action="store_true",
        help="refuse a base image without a digest",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    command = commands.add_parser("build", parents=[what, how], help="build the image")
    command.add_argument("--tag", help="the tag (default: a digest of the sources)")
    command = commands.add_parser("push", parents=[what, how], help="build the image and push it")
    command.add_argument("repository", help="registry and repository, without a tag")
    command.add_argument(
        "--username", help="log in with this name; the password is read from standard input"
    )
    commands.add_parser(
        "tag", parents=[what], help="print the tag of the image that would be built"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
