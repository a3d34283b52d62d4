"""Spares axe the targets that a finger cannot miss.

To find out how much of each link, button and field is free of others is a third of what axe does on a page. A target is
easy if no other is within its box, and it is at least 24 pixels wide and high or at least 24 pixels from every other:
WCAG's criterion 2.5.8 asks for no more than either, and axe, which counts as targets what these lines count, finds no
fault with such a one whatever else is about it. It is asked about all others.
"""

from typing import Final

INSTALL: Final = """() => {
    const rule = axe._audit.rules.find(({id}) => id === "target-size");
    const canJudge = rule.matches;
    const least = 24;
    const some = "a, area, audio, button, details, embed, iframe, input, object, option, select, summary, textarea, "
        + "video, [contenteditable], [role], [tabindex]";
    let hard = null;
    const isTarget = element => axe.commons.aria.getRoleType(element) === "widget"
        && axe.commons.dom.isFocusable(element);
    const gap = (from, to, start, end) => Math.max(start - to, from - end);
    const isNear = (one, other, pixels) => gap(one.left, one.right, other.left, other.right) < pixels
        && gap(one.top, one.bottom, other.top, other.bottom) < pixels;
    const findHard = () => {
        const targets = [...document.querySelectorAll(some)].filter(isTarget);
        const boxes = targets.map(one => one.getBoundingClientRect());
        const isHard = box => {
            const pixels = box.width >= least && box.height >= least ? 0 : least;
            return boxes.some(other => other !== box && isNear(box, other, pixels));
        };
        return new Set(targets.filter((_, at) => isHard(boxes[at])));
    };
    rule.matches = (element, ...rest) => (hard ??= findHard()).has(element) && canJudge(element, ...rest);
    window.easyTargets = {
        begin: () => { hard = null; },
        hard: () => [...hard],
    };
}"""
"""To run in a page that has axe; `easyTargets.begin()` before each run of it forgets where targets were."""
