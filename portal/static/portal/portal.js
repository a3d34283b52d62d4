// Everything here is an extra: the portal works with scripts switched off.
(() => {
  const one = (selector, root = document) => root.querySelector(selector);
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const tip = one("#tip");

  // Tooltips: what a mark says in data-tip, a JSON list [title, [name, tone, value], …].
  const make = (tag, text, className) => {
    const node = document.createElement(tag);
    if (text) node.textContent = text;
    if (className) node.className = className;
    return node;
  };
  const row = ([name, tone, value]) => {
    const line = make("span");
    if (tone) line.append(make("i", "", tone));
    line.append(name, make("em", value));
    return line;
  };
  const show = (mark, x, y) => {
    const [title, ...rows] = JSON.parse(mark.dataset.tip);
    tip.replaceChildren(make("b", title), ...rows.map(row));
    tip.hidden = false;
    const box = tip.getBoundingClientRect();
    const left = Math.max(8, Math.min(x + 14, innerWidth - box.width - 8));
    const top = Math.max(8, Math.min(y - box.height - 12, innerHeight - box.height - 8));
    tip.style.transform = `translate(${left}px, ${top}px)`;
  };
  const hide = () => {
    tip.hidden = true;
    all(".on[data-tip]").forEach((mark) => mark.classList.remove("on"));
  };
  document.addEventListener("pointermove", (event) => {
    const mark = event.target.closest?.("[data-tip]");
    if (!mark || !tip) return tip && !tip.hidden && hide();
    one("title", mark)?.remove(); // the browser's own tooltip would lie over ours
    show(mark, event.clientX, event.clientY);
  });

  // A chart is one stop of the tab order; the arrow keys read it mark by mark, Enter follows the mark's link.
  const readChart = (chart, event) => {
    const marks = all("[data-tip]", chart);
    if (!marks.length) return;
    const at = marks.findIndex((mark) => mark.classList.contains("on"));
    if (event.key === "Enter") {
      if (at >= 0 && marks[at].href) location.href = marks[at].href.baseVal;
      return;
    }
    const step = event.key === "ArrowRight" ? 1 : -1;
    const next = at < 0 ? (step > 0 ? 0 : marks.length - 1) : Math.max(0, Math.min(marks.length - 1, at + step));
    hide();
    marks[next].classList.add("on");
    const box = marks[next].getBoundingClientRect();
    show(marks[next], box.left + box.width / 2, box.top + 40);
    event.preventDefault();
  };
  document.addEventListener("focusout", (event) => event.target.closest?.("[data-chart]") && tip && hide());

  // Shortcuts: ? for help, e for the export, g and a letter for a link of the side bar.
  let going = false;
  const press = (event) => {
    const key = event.key;
    if (key === "?") return one("#help")?.showModal();
    if (going) {
      going = false;
      const link = all("[data-go]").find((item) => item.dataset.go === key);
      if (link) link.click();
    } else if (key === "g") {
      going = true; // until the next key or click, whenever that is
    } else {
      all("[data-key]").find((item) => item.dataset.key === key)?.click();
    }
  };
  const escape = () => {
    going = false;
    if (tip) hide();
    all("details.menu-box[open]").forEach((menu) => {
      menu.open = false;
      one("summary", menu).focus();
    });
    if (location.hash === "#side") location.hash = "main";
  };
  document.addEventListener("keydown", (event) => {
    const chart = event.target.closest?.("[data-chart]");
    if (chart && ["ArrowRight", "ArrowLeft", "Enter"].includes(event.key)) return readChart(chart, event);
    if (event.key === "Escape") return escape();
    // A dialog that was just closed keeps the focus until the next frame is drawn.
    const typing = event.target.closest?.("input, select, textarea, dialog[open]");
    if (!typing && !event.ctrlKey && !event.metaKey && !event.altKey) press(event);
  });

  document.addEventListener("click", (event) => {
    going = false;
    all("details.menu-box[open]").forEach((menu) => menu.contains(event.target) || (menu.open = false));
    const opener = event.target.closest("[data-open]");
    const dialog = opener && document.getElementById(opener.dataset.open);
    if (dialog) {
      event.preventDefault();
      dialog.showModal();
    }
    const theme = event.target.closest("[data-theme-form] button");
    if (theme) {
      event.preventDefault();
      if (theme.value) document.documentElement.dataset.theme = theme.value;
      else delete document.documentElement.dataset.theme;
      const secure = location.protocol === "https:" ? ";secure" : "";
      document.cookie = `theme=${theme.value};path=/;max-age=31536000;samesite=lax${secure}`;
      all("button", theme.parentElement).forEach((button) => button.setAttribute("aria-pressed", button === theme));
    }
  });

  // Filters apply as soon as they change; a range shows its value beside itself.
  document.addEventListener("change", (event) => event.target.closest("form[data-auto]")?.requestSubmit());
  document.addEventListener("input", (event) => {
    const output = event.target.dataset?.out && document.getElementById(event.target.dataset.out);
    if (!output) return;
    const value = Number(event.target.value);
    output.textContent = `${value > 0 ? "+" : value < 0 ? "−" : ""}${Math.abs(value)}%`;
  });
})();
