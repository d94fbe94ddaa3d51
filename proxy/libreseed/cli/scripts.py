"""`libreseed approve-scripts`: allows packages to run their install scripts."""

import json
from pathlib import Path

import click

from libreseed.cli.projects import chosen_project, json_option, project_option
from libreseed.errors import NotFoundError
from libreseed.modules.lock.lockfile import read_project
from libreseed.modules.scripts.install_scripts import approve, is_allowed, may_have_scripts, read_allowed, write_allowed


@click.command("approve-scripts", short_help="Allow install scripts of packages.")
@click.argument("names", metavar="[PKG]...", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Allow those of every package that has some.")
@click.option("--pin/--no-pin", default=True, show_default=True, help="Allow only the versions in the lock file.")
@json_option
@project_option
def approve_scripts_command(
    names: tuple[str, ...], everything: bool, pin: bool, as_json: bool, root: Path | None
) -> None:
    """Let PKGs run their install scripts, from the next `libreseed install` on; without any, list who waits for that.

    package.json remembers it in its field `allowScripts`, which npm reads and writes too.
    """
    project = chosen_project(root)
    allowed = read_allowed(project.read_manifest())
    with_scripts = [package for package in read_project(project).packages.values() if may_have_scripts(package)]
    undecided = [package for package in with_scripts if is_allowed(package, allowed) is None]
    if not names and not everything:
        labels = sorted({package.label for package in undecided})
        click.echo(json.dumps(labels) if as_json else "\n".join(labels) or "No package waits for approval.")
        return
    for name in names:
        if not any(name in (package.name, package.label, package.origin) for package in with_scripts):
            raise NotFoundError(
                f"package-lock.json has no {name} with install scripts.", hint="See who has: libreseed approve-scripts"
            )
    chosen = [each for each in with_scripts if {each.name, each.label, each.origin} & set(names)]
    after, denied = approve(undecided if everything else chosen, allowed, pin=pin)
    if after != allowed:
        write_allowed(project.manifest, after)
    added = sorted(key for key, value in after.items() if value and not allowed.get(key))
    if as_json:
        click.echo(json.dumps({"allowScripts": after}))
    else:
        click.echo(f"Allowed: {', '.join(added)}\nRun them with: libreseed install" if added else "Nothing changed.")
    for package in denied:
        click.echo(f"{package.label} is denied in package.json; take its entry out of allowScripts first.", err=True)
