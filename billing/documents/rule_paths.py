"""The official rules on shorter paths: the same rules and the same report of a file, with less walking through it.

As published, a schematron compiled to XSLT walks all of a file once for each of its patterns, asks of each line what
the whole file answers alike, and looks each code up by reading its list. Of an invoice of 5,000 lines that is most of
the time. Here the text of the stylesheet is changed, before it is compiled, in three ways that no report can tell:

- a pattern of one rule goes to what the rule's path selects, in place of walking to it;
- a test that asks nothing of where it stands is asked once;
- a code is found by a key.

What does not have the shape that is expected is left as it was published.
"""

import re
from collections import defaultdict
from pathlib import Path
from typing import Final

QUOTED: Final = re.compile(r"'[^']*'|&quot;.*?&quot;")
INSIDE: Final = re.compile(r"\[[^\[\]]*\]")
TEST: Final = re.compile(r'<xsl:when test="([^"]*)"')
RULE: Final = re.compile(r'<xsl:template match="([^"]*)"\s+mode="(\w+)"')
DEFAULT_RULES: Final = ("text()", "@*|node()")
NAME: Final = re.compile(r"(?<![\w:.\-])[A-Za-z_][\w.\-]*:[A-Za-z_][\w.\-]*(?!\s*\()")
ASKS_HERE: Final = re.compile(r"\$|\.\.|\bcurrent\s*\(|\bposition\s*\(|\blast\s*\(")
OF_HERE: Final = re.compile(r"@|(?<![\w.])\.(?![\w.])|\(\s*\)|::")
CODE: Final = re.compile(r"document\('([^']+)'\)/codedb/cl\[@id=(\d+)\]/enumeration\[@value=(\$\w+)\]")


def shortened(text: str, folder: Path) -> str:
    """Return a stylesheet that reports as `text` does; `folder` is where the lists of codes that it names lie."""
    return _keyed(_asked_once(_led(text)), folder)


def _led(text: str) -> str:
    """Go straight to what the one rule of a pattern selects; what lies in that is among what is selected."""
    rules: dict[str, list[str]] = defaultdict(list)
    for path, mode in RULE.findall(text):
        if path not in DEFAULT_RULES:
            rules[mode].append(path)
    for mode, paths in rules.items():
        [path, *more] = paths
        walk, on = (f'<xsl:apply-templates mode="{mode}" select="{what}" />' for what in ("/", "@*|*"))
        begin = text.find(f'match="{path}" mode="{mode}"')
        end = text.find("</xsl:template>", begin)
        body = text[begin:end]
        is_one = not more and path.startswith("/") and "|" not in QUOTED.sub("", path)
        if is_one and begin >= 0 and text.count(walk) == body.count(on) == 1:
            text = f"{text[:begin]}{body.replace(on, '')}{text[end:]}"
            text = text.replace(walk, f'<xsl:apply-templates mode="{mode}" select="{path}" />')
    return text


def _asked_once(text: str) -> str:
    """Ask a test that is the same wherever it stands for the whole file, as a variable."""
    asked: dict[str, str] = {}

    def once(found: re.Match[str]) -> str:
        if not asks_the_whole(found[1]):
            return found[0]
        name = asked.setdefault(found[1], f"asked-once-{len(asked)}")
        return f'<xsl:when test="${name}"'

    text = TEST.sub(once, text)
    return _declared(text, [f'<xsl:variable name="{name}" select="boolean({test})" />' for test, name in asked.items()])


def asks_the_whole(test: str) -> bool:
    """Whether a test has the same answer wherever in a file it is asked: all its paths begin at the file's root."""
    if ASKS_HERE.search(test):
        return False
    bare = QUOTED.sub("", test)
    while (shorter := INSIDE.sub("", bare)) != bare:
        bare = shorter
    names = list(NAME.finditer(bare))
    return bool(names) and not OF_HERE.search(bare) and all(_is_step(bare, found.start()) for found in names)


def _is_step(bare: str, at: int) -> bool:
    """Whether the name at a place follows a slash, and the path that it is in begins with one."""
    while at > 0 and bare[at - 1] == "/":
        at -= 1
        while at > 0 and bare[at - 1] == "/":
            at -= 1
        before = re.search(r"[\w.\-]+:[\w.\-]+$", bare[:at])
        if before is None:
            return at == 0 or bare[at - 1] in " (\n\t=,"
        at = before.start()
    return False


def _keyed(text: str, folder: Path) -> str:
    """Look codes up by a key over their lists, one for each list of a file."""
    named = sorted({code[1] for test in TEST.findall(text) for code in CODE.finditer(test)})
    files = {name: f"codes-{place}" for place, name in enumerate(named)}

    def looked_up(found: re.Match[str]) -> str:
        def by_key(code: re.Match[str]) -> str:
            return f"key('codes', concat({code[2]}, '|', {code[3]}), ${files[code[1]]})"

        return f'<xsl:when test="{CODE.sub(by_key, found[1])}"'

    declared = ['<xsl:key name="codes" match="/codedb/cl/enumeration" use="concat(../@id, \'|\', @value)" />']
    for name, variable in files.items():
        declared.append(f'<xsl:variable name="{variable}" select="document(\'{(folder / name).as_uri()}\')" />')
    return _declared(TEST.sub(looked_up, text), declared if files else [])


def _declared(text: str, declarations: list[str]) -> str:
    """Put declarations behind the start of the stylesheet."""
    at = re.search(r"<xsl:stylesheet[^>]*>", text)
    assert at is not None, "a stylesheet"
    return f"{text[: at.end()]}{''.join(declarations)}{text[at.end() :]}"
