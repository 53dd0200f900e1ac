"""MJML, read strictly: what its compiler would let pass in silence is refused here.

The compiler keeps tags that it does not know as they are, and its recursion is not
bounded. So a source is read first by a small grammar: known tags where they belong,
known attributes in quotes, everything closed, no script, no include, bounded depth.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from mjml import mjml2html

from actors.messaging.sandbox import BrokenSource

DEPTH_MAX = 40
CONTENT = "<!-- content -->"

_TOKEN = re.compile(
    r"(?P<text>[^<]+)"
    r"|(?P<comment><!--(?!\s*\[)(?:(?!--).)*-->)"
    r"|</(?P<closed>[a-z][a-z0-9-]*)\s*>"
    r'|<(?P<opened>[a-z][a-z0-9-]*)(?P<attributes>(?:\s+[a-zA-Z-]+="[^"<]*")*)'
    r"\s*(?P<empty>/)?>",
    re.DOTALL,
)
_ATTRIBUTE = re.compile(r'([a-zA-Z-]+)="([^"<]*)"')
_LINK = re.compile(r"(https?://|mailto:|tel:|cid:|#|\{\{)", re.IGNORECASE)

_BLOCKS = frozenset(
    {
        *("mj-text", "mj-button", "mj-image", "mj-divider", "mj-spacer", "mj-table"),
        *("mj-raw", "mj-social", "mj-navbar", "mj-accordion"),
    }
)
_CHILDREN: dict[str, frozenset[str]] = {
    "mjml": frozenset({"mj-head", "mj-body"}),
    "mj-head": frozenset(
        {
            *("mj-title", "mj-preview", "mj-attributes", "mj-style"),
            *("mj-font", "mj-breakpoint"),
        }
    ),
    "mj-attributes": _BLOCKS
    | {"mj-all", "mj-class", "mj-section", "mj-column", "mj-wrapper", "mj-body"},
    "mj-body": frozenset({"mj-section", "mj-wrapper", "mj-hero", "mj-raw"}),
    "mj-wrapper": frozenset({"mj-section", "mj-hero", "mj-raw"}),
    "mj-section": frozenset({"mj-column", "mj-group", "mj-raw"}),
    "mj-group": frozenset({"mj-column", "mj-raw"}),
    "mj-column": _BLOCKS,
    "mj-hero": _BLOCKS,
    "mj-social": frozenset({"mj-social-element", "mj-raw"}),
    "mj-navbar": frozenset({"mj-navbar-link", "mj-raw"}),
    "mj-accordion": frozenset({"mj-accordion-element", "mj-raw"}),
    "mj-accordion-element": frozenset({"mj-accordion-title", "mj-accordion-text"}),
}
_HTML = frozenset(
    {
        *("a", "abbr", "b", "blockquote", "br", "code", "del", "div", "em", "h1"),
        *("h2", "h3", "h4", "h5", "h6", "hr", "i", "img", "ins", "li", "ol", "p"),
        *("pre", "s", "small", "span", "strong", "sub", "sup", "table", "tbody"),
        *("td", "tfoot", "th", "thead", "tr", "u", "ul"),
    }
)
_EMPTY = frozenset({"br", "hr", "img"})
_WITH_HTML = frozenset(
    {
        *("mj-text", "mj-table", "mj-button", "mj-raw", "mj-social-element"),
        *("mj-navbar-link", "mj-accordion-title", "mj-accordion-text"),
    }
)
_WITH_TEXT = _WITH_HTML | _HTML | {"mj-title", "mj-preview", "mj-style"}
_HTML_ATTRIBUTES = frozenset(
    {
        *("align", "alt", "bgcolor", "border", "cellpadding", "cellspacing", "class"),
        *("color", "colspan", "dir", "height", "href", "id", "lang", "rel", "role"),
        *("rowspan", "src", "style", "target", "title", "valign", "width"),
    }
)
_MJML_ATTRIBUTES = frozenset(
    {
        *("align", "alt", "background-color", "background-height"),
        *("background-position", "background-position-x", "background-position-y"),
        *("background-repeat", "background-size", "background-url"),
        *("background-width", "base-url", "border", "border-bottom", "border-left"),
        *("border-radius", "border-right", "border-top", "border-color"),
        *("border-style", "border-width", "cellpadding", "cellspacing", "color"),
        *("container-background-color", "css-class", "direction", "dir"),
        *("fluid-on-mobile", "font-family", "font-size", "font-style"),
        *("font-weight", "full-width", "hamburger", "height", "href", "icon-height"),
        *("icon-padding", "icon-position", "icon-size", "inline", "inner-padding"),
        *("inner-background-color", "inner-border", "inner-border-radius"),
        *("lang", "letter-spacing", "line-height", "max-height", "mj-class", "mode"),
        *("name", "padding", "padding-bottom", "padding-left", "padding-right"),
        *("padding-top", "rel", "src", "srcset", "sizes", "table-layout", "target"),
        *("text-align", "text-decoration", "text-padding", "text-transform"),
        *("title", "usemap", "vertical-align", "width", "role"),
    }
)


class _Open(NamedTuple):
    tag: str
    line: int


def compile_mjml(source: str, layout: str) -> str:
    """The HTML of a whole document, or of the content of the layout's column.

    Raises BrokenSource, with the line of `source` that is wrong.
    """
    whole = source.lstrip().startswith("<mjml")
    _check(source, whole=whole)
    if whole and not re.match(r"\s*<mjml[^>]*\slang=", source):
        source = source.replace("<mjml", '<mjml lang="{{ lang }}"', 1)
    return converted(source if whole else layout.replace(CONTENT, source))


def converted(document: str) -> str:
    """A checked document as HTML; its lines are short (RFC 5322 §2.1.1)."""
    try:
        html = mjml2html(document, fonts={})
    except ValueError as error:
        raise BrokenSource("mjml", str(error), 1) from error
    except BaseException as error:
        # What the compiler's own bugs raise is no Exception.
        if type(error).__name__ != "PanicException":
            raise
        raise BrokenSource("mjml", "It cannot be compiled.", 1) from error
    for tag in ("<table", "<tr", "<td", "</td", "</tr", "</table", "<!--[if"):
        html = html.replace(">" + tag, ">\n" + tag)
    return html


def _check(source: str, *, whole: bool) -> None:
    open_tags = [_Open("" if whole else "mj-column", 1)]
    seen: set[str] = set()
    for token, line in _tokens(source):
        if token["text"] is not None:
            if token["text"].strip() and open_tags[-1].tag not in _WITH_TEXT:
                detail = "Text belongs into <mj-text> or <mj-raw>."
                raise BrokenSource("text-misplaced", detail, line)
        elif token["closed"]:
            _close(open_tags, token["closed"], line)
        elif token["opened"]:
            seen.add(token["opened"])
            _open(open_tags, token, line)
    if len(open_tags) > 1:
        tag, line = open_tags[-1]
        raise BrokenSource("not-closed", f"<{tag}> is not closed.", line)
    if not seen & ({"mj-section", "mj-wrapper", "mj-hero"} if whole else _BLOCKS):
        raise BrokenSource("empty", "It has no content.", 1)


def _open(open_tags: list[_Open], token: re.Match[str], line: int) -> None:
    tag, parent = token["opened"], open_tags[-1].tag
    _check_tag(tag, parent, line)
    _check_attributes(tag, parent, token["attributes"], line)
    if not token["empty"] and tag not in _EMPTY:
        open_tags.append(_Open(tag, line))
    if len(open_tags) > DEPTH_MAX:
        raise BrokenSource("too-deep", "It is nested too deep.", line)


def _close(open_tags: list[_Open], tag: str, line: int) -> None:
    if len(open_tags) == 1:
        raise BrokenSource("not-closed", f"</{tag}> closes nothing.", line)
    if tag != open_tags[-1].tag:
        detail = f"</{tag}> comes before <{open_tags[-1].tag}> is closed."
        raise BrokenSource("not-closed", detail, line)
    open_tags.pop()


def _tokens(source: str) -> Iterator[tuple[re.Match[str], int]]:
    """The parts of the source, each with the line where it begins."""
    at, line = 0, 1
    while at < len(source):
        token = _TOKEN.match(source, at)
        if token is None:
            raise BrokenSource("syntax", "No MJML tag begins here.", line)
        yield token, line
        line += token[0].count("\n")
        at = token.end()


def _check_tag(tag: str, parent: str, line: int) -> None:
    if parent == "":
        allowed = tag == "mjml"
    elif tag in _HTML:
        allowed = parent in _WITH_HTML or parent in _HTML
    else:
        allowed = tag in _CHILDREN.get(parent, ())
    if not allowed:
        place = f"in <{parent}>" if parent else "here"
        raise BrokenSource("tag-not-allowed", f"<{tag}> cannot stand {place}.", line)


def _check_attributes(tag: str, parent: str, written: str, line: int) -> None:
    known = _HTML_ATTRIBUTES if tag in _HTML else _MJML_ATTRIBUTES
    names = set()
    for name, value in _ATTRIBUTE.findall(written):
        if name not in known or name in names:
            # What <mj-attributes> sets for a component is the component's own.
            detail = f"<{tag}> takes no «{name}» here."
            raise BrokenSource("attribute-not-allowed", detail, line)
        names.add(name)
        links = name in ("href", "src", "background-url") and parent != "mj-attributes"
        if links and value and not _LINK.match(value.strip()):
            detail = f"«{name}» must be an address on the web, or a place."
            raise BrokenSource("link-not-allowed", detail, line)
