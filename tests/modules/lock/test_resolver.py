import pytest

from libreseed.errors import InvalidInputError, NotFoundError, UnavailableError
from libreseed.modules.lock.resolver import check_spec, explain, restored_on_failure
from libreseed.modules.project import Project


@pytest.mark.parametrize("spec", ["a", "@s/a", "a@1", "@s/a@^1.2 || 3", "a@latest", "b@npm:a@1", "b@npm:@s/a", "a@*"])
def test_packages_of_the_registry_are_taken(spec):
    assert check_spec(spec) == spec


@pytest.mark.parametrize("spec", ["", "--global", "-g", " a", "a\n", "a\0", "a" * 3000])
def test_what_npm_could_take_for_something_else_is_refused(spec):
    with pytest.raises(InvalidInputError):
        check_spec(spec)


@pytest.mark.parametrize(
    ("errors", "kind", "message"),
    [
        (
            "npm error code E404\nnpm error 404 Not Found - GET x\nnpm error A complete log of",
            NotFoundError,
            ": Not Found",
        ),
        (
            "npm error code ETARGET\nnpm error notarget No matching version found for a@9.",
            InvalidInputError,
            "No matching",
        ),
        ("npm ERR! code ECONNREFUSED\nnpm ERR! errno ECONNREFUSED", UnavailableError, "ECONNREFUSED"),
        ("npm error code E503\nnpm error 503 Service Unavailable", UnavailableError, "Service Unavailable"),
        ("a crash", InvalidInputError, "a crash"),
    ],
)
def test_npms_errors_are_told_as_ours(errors, kind, message):
    error = explain(errors)
    assert type(error) is kind
    assert message in error.message
    assert "npm error" not in error.message
    assert "A complete log" not in error.message


def test_files_are_put_back_when_an_install_fails(tmp_path):
    project = Project(tmp_path)
    project.manifest.write_text("{}")
    with pytest.raises(KeyboardInterrupt), restored_on_failure(project):
        project.manifest.write_text("changed")
        project.lockfile.write_text("new")
        raise KeyboardInterrupt
    assert project.manifest.read_text() == "{}"
    assert not project.lockfile.exists()
