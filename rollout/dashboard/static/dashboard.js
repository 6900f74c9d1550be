// Keeps a page as it is on the server: a stream says that something has changed, and the page asks for itself again.
(() => {
  "use strict";
  const main = document.getElementById("main");
  const live = document.getElementById("live");
  const announce = document.getElementById("announce");
  const stream = main.dataset.stream;
  const RETRY_MS = 5000;
  let asking = false, again = false;

  const filter = () => {
    const wanted = (document.getElementById("filter")?.value || "").trim().toLowerCase();
    let shown = 0;
    for (const row of document.querySelectorAll("[data-row]")) {
      row.hidden = wanted !== "" && !row.textContent.toLowerCase().includes(wanted);
      shown += row.hidden ? 0 : 1;
    }
    const none = document.getElementById("no-match");
    if (none) none.hidden = shown > 0;
  };

  const state = (name, text) => { if (live) { live.dataset.state = name; live.textContent = text; } };

  // A part that somebody types in, or has opened, is left alone, or opened again.
  const swap = (part, fresh) => {
    if (part.contains(document.activeElement) && document.activeElement.matches("input")) return;
    const opened = [...part.querySelectorAll("details")].map((one, at) => one.open ? at : -1).filter((at) => at >= 0);
    const focused = part.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
    const from = part.querySelectorAll("details").length;
    part.replaceWith(fresh);
    const details = [...fresh.querySelectorAll("details")];
    for (const at of opened) { const one = details[at + details.length - from]; if (one) one.open = true; }
    if (focused) fresh.querySelector(`[href="${CSS.escape(focused)}"]`)?.focus();
  };

  const refresh = async () => {
    if (asking) { again = true; return; }
    asking = true;
    try {
      const answer = await fetch(location.href, { headers: { Accept: "text/html" }, credentials: "same-origin" });
      if (answer.status === 401) { location.reload(); return; }
      if (!answer.ok) { state("off", "not available"); return; }
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      const before = document.querySelector("[data-phase]")?.textContent;
      const parts = fresh.querySelectorAll("[data-part]");
      const known = new Map([...document.querySelectorAll("[data-part]")].map((one) => [one.dataset.part, one]));
      if (parts.length !== known.size) {
        main.replaceChildren(...fresh.getElementById("main").childNodes);
      } else {
        for (const part of parts) {
          const old = known.get(part.dataset.part);
          if (old && old.outerHTML !== part.outerHTML) swap(old, part);
        }
      }
      const phase = document.querySelector("[data-phase]")?.textContent;
      if (phase && phase !== before) announce.textContent = `The phase is ${phase} now.`;
      filter();
      document.documentElement.dataset.refreshed = String(Number(document.documentElement.dataset.refreshed || 0) + 1);
    } catch { state("off", "not available"); }
    finally { asking = false; if (again) { again = false; refresh(); } }
  };

  document.addEventListener("input", (event) => { if (event.target.id === "filter") filter(); });
  document.addEventListener("submit", (event) => {
    const question = event.submitter?.dataset.confirm;
    if (question && !confirm(question)) { event.preventDefault(); return; }
    for (const button of event.target.querySelectorAll("button")) button.setAttribute("aria-disabled", "true");
  });

  if (stream) {
    let timer = null;
    const open = () => {
      const source = new EventSource(stream);
      let first = true;
      source.addEventListener("open", () => state("on", "live"));
      source.addEventListener("changed", () => { if (!first) refresh(); first = false; });
      source.addEventListener("error", () => {
        state("off", "not live");
        if (source.readyState === EventSource.CLOSED) {
          source.close();
          clearTimeout(timer);
          timer = setTimeout(() => { refresh(); open(); }, RETRY_MS);
        }
      });
    };
    open();
  }
})();
