"""How results show themselves in a notebook: apart from the page, whose styles stay its own."""

from __future__ import annotations

from html import escape


class AsText:
    """In a notebook an object looks as it does in a terminal: its ``repr``, letter by letter.

    >>> class Greeting(AsText):
    ...     def __repr__(self):
    ...         return "<hello>"
    >>> Greeting()._repr_html_()
    '<pre style="white-space: pre-wrap">&lt;hello&gt;</pre>'
    """

    def _repr_html_(self) -> str:
        return f'<pre style="white-space: pre-wrap">{escape(repr(self))}</pre>'


def isolated(page: str, height: int = 640) -> str:
    """A whole HTML page within another one: in a frame of its own, where neither styles nor scripts reach out.

    >>> isolated("<style>p { color: red }</style>")[:42]
    '<iframe sandbox="" srcdoc="&lt;style&gt;p '
    """
    box = f"width: 100%; height: {height}px; border: 0"
    return f'<iframe sandbox="" srcdoc="{escape(page)}" style="{box}"></iframe>'
