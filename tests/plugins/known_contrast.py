"""Lets axe judge the contrast of each kind of text once, however many texts of that kind the pages have.

Most of axe's work on a page is to find out for each piece of text what it is painted on. The answer follows from
little: the text's colours, size and weight, and the backgrounds and opacities of what it lies in, as long as it lies
wholly within those and nothing else is painted where it stands. Texts that share all this are one kind; a kind that axe
has found readable is not judged again, on that page or another. All other text is judged by axe each time: what stands
over or under something else, or out of its own box, and every kind that was not readable.

Axe is asked about the contrast of the texts of other kinds and no others: to find out which texts of a page it can
judge takes it as long as to judge them. Texts about which it says nothing are none of these: what is turned off, what
no eye sees, what has no letter or digit, what is over a picture, and what is in a drawing, of which axe cannot tell
what is behind it.
"""

from typing import Final

INSTALL: Final = """readable => {
    const check = axe._audit.checks["color-contrast"];
    const judge = check.evaluate;
    const rule = axe._audit.rules.find(({id}) => id === "color-contrast");
    const canJudge = rule.matches;
    let asked = new Set();
    const known = new Set(readable);
    let fresh = [];
    let styles = new Map();
    let kinds = new Map();
    let painted = null;

    const style = node => {
        if (!styles.has(node)) {
            const css = getComputedStyle(node);
            const paints = css.backgroundImage !== "none" || !/^rgba\\(.*, 0\\)$/.test(css.backgroundColor);
            const mixes = css.opacity !== "1" || css.filter !== "none" || css.mixBlendMode !== "normal";
            const scrolls = /auto|scroll/.test(css.overflow);
            const words = [css.backgroundColor, css.backgroundImage, css.backgroundClip, css.opacity, css.filter,
                css.mixBlendMode];
            styles.set(node, {
                paints,
                scrolls,
                unseen: css.clipPath === "inset(50%)",
                layer: paints || mixes ? words.join(" ") : "",
                box: paints || scrolls ? node.getBoundingClientRect() : null,
            });
        }
        return styles.get(node);
    };
    const holds = (outer, inner) => outer.left <= inner.left && outer.top <= inner.top
        && outer.right >= inner.right && outer.bottom >= inner.bottom;
    const meets = (one, other) => one.left < other.right && other.left < one.right
        && one.top < other.bottom && other.top < one.bottom;
    const within = (outer, inner) => meets(outer, inner) ? {
        left: Math.max(outer.left, inner.left), top: Math.max(outer.top, inner.top),
        right: Math.min(outer.right, inner.right), bottom: Math.min(outer.bottom, inner.bottom),
    } : outer;
    const isCanvas = node => node === document.documentElement || node === document.body;

    const hasWords = node => node.nodeType === Node.TEXT_NODE && !/^[\\s!-/:-@[-`{-~]*$/.test(node.data);
    const hasText = node => node.nodeType === Node.TEXT_NODE && node.data.trim() !== "";

    const boxOf = element => {
        const texts = [...element.childNodes].filter(hasText);
        if (!texts.length) return element.getBoundingClientRect();
        const range = document.createRange();
        range.setStartBefore(texts[0]);
        range.setEndAfter(texts.at(-1));
        return range.getBoundingClientRect();
    };

    const findKind = element => {
        if (element.closest("svg")) return null;
        const css = getComputedStyle(element);
        const kind = [css.color, css.webkitTextFillColor, css.webkitTextStroke, css.textShadow, css.fontSize,
            css.fontWeight];
        let box = boxOf(element);
        const seen = [];  // where the text is, as seen within each thing that scrolls, and from outside all of them
        for (let node = element; node; node = node.parentElement) {
            const {paints, scrolls, layer, box: outer} = style(node);
            if (layer) kind.push(layer);
            if (isCanvas(node)) continue;
            if (scrolls) {
                seen.push([node, box]);
                box = within(outer, box);
            } else if (paints && !holds(outer, box)) return null;
        }
        seen.push([document.documentElement, box]);
        painted ??= [...document.body.querySelectorAll("*")]
            .filter(node => style(node).paints && node.checkVisibility());
        const over = painted.some(node => {
            const there = style(node).box;
            return seen.some(([, here]) => meets(there, here)) && !node.contains(element)
                && meets(there, seen.find(([scroller]) => scroller.contains(node))[1]);
        });
        return over ? null : kind.join("|");
    };
    const kindOf = element => {
        if (!kinds.has(element)) kinds.set(element, findKind(element));
        return kinds.get(element);
    };

    const isAbroad = ({bottom, right}) => bottom + scrollY < 0 || right + scrollX < 0;
    const isUnseen = element => {
        for (let node = element; node; node = node.parentElement) if (style(node).unseen) return true;
        return isAbroad(element.getBoundingClientRect());
    };
    const isField = element => /^(input|select|textarea)$/.test(element.localName);
    const isJudged = element => (isField(element) || [...element.childNodes].some(hasWords))
        && !element.closest("svg, :disabled, [aria-disabled=true]")
        && element.checkVisibility({visibilityProperty: true}) && !isUnseen(element);
    const begin = () => {
        styles = new Map();
        kinds = new Map();
        painted = null;
        fresh = [];
    };

    check.evaluate = function (element, ...rest) {
        const kind = kindOf(element);
        if (kind !== null && known.has(kind)) return true;
        let told = {};
        const helper = Object.create(this, {data: {value: said => this.data(told = said)}});
        const result = judge.call(helper, element, ...rest);
        const isReadable = result === true && told.contrastRatio;
        if (kind !== null && (isReadable || result === undefined && told.messageKey === "bgImage")) {
            known.add(kind);
            fresh.push(kind);
        }
        return result;
    };
    rule.matches = (element, ...rest) => asked.has(element) && canJudge(element, ...rest);
    window.contrastKinds = {
        begin,
        fresh: () => fresh,
        unknown: () => {
            asked = new Set([...document.body.querySelectorAll("*")]
                .filter(one => isJudged(one) && !known.has(kindOf(one))));
            return [...asked];
        },
    };
}"""
"""To run in a page that has axe, with the kinds of text that were readable before."""

RUN: Final = """async options => {
    if (!("contrastKinds" in window)) return null;
    contrastKinds.begin();
    easyTargets.begin();
    const unknown = contrastKinds.unknown();
    const onlyContrast = [options.runOnly.values].flat().join() === "color-contrast";
    if (onlyContrast && !unknown.length) return {violations: [], readable: []};
    const rules = unknown.length ? {} : {"color-contrast": {enabled: false}};
    const {violations} = await axe.run(onlyContrast ? {include: unknown} : document, {...options, rules});
    return {violations, readable: contrastKinds.fresh()};
}"""
"""What axe finds on the page as it is now, and the kinds of text that were found readable."""
