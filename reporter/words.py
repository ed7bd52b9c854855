"""The sentences of a PDF: templates filled in, with what the font lacks made visible."""

from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from reporter.lettering import shown

__all__ = ["said"]


def said(name: str, **values: Any) -> list[str]:
    """Return the paragraphs of `templates/NAME.txt`, which blank lines part, as ReportLab markup.

    What is filled in is escaped and never taken for markup. Raises jinja2.UndefinedError for a value that is missing.
    """
    text = _environment().get_template(f"{name}.txt").render(values)
    return [" ".join(paragraph.split()) for paragraph in text.split("\n\n") if paragraph.strip()]


@cache
def _environment() -> Environment:
    # Each value becomes markup as it is filled in, so that Jinja2 need not escape it for HTML.
    return Environment(
        loader=PackageLoader("reporter"),
        undefined=StrictUndefined,
        finalize=_filled,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,
    )


def _filled(value: object) -> str:
    # A blank line in a name parts no paragraphs.
    return shown(str(value))
