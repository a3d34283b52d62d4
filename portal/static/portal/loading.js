// What a part of a page says when it cannot be loaded anew: the template "load-failed", in its card below the heading, or before it.
(() => {
  const clear = () => document.querySelectorAll("[data-load-failed]").forEach((said) => said.remove());
  const whole = (event) => event.detail.elt.href || location.href;
  const fail = (event) => {
    clear();
    const said = document.getElementById("load-failed").content.cloneNode(true);
    said.querySelector("a").href = whole(event);
    const { target } = event.detail;
    const head = target.querySelector(":scope > .card-h");
    if (head) head.after(said);
    else target.before(said);
  };
  ["htmx:responseError", "htmx:sendError", "htmx:timeout"].forEach((name) => document.addEventListener(name, fail));
  // Whoever was led elsewhere, as to sign in, is led there with the whole page: no other page belongs into a part.
  document.addEventListener("htmx:beforeSwap", (event) => {
    const { xhr, pathInfo } = event.detail;
    if (xhr.status >= 400) return;
    clear();
    if (new URL(xhr.responseURL).pathname === new URL(pathInfo.finalRequestPath, location.href).pathname) return;
    event.detail.shouldSwap = false;
    location.assign(whole(event));
  });
})();
