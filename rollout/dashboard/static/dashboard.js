// Keeps a page as it is on the server: a stream says that something has changed, and the page asks for itself again.
(() => {
  "use strict";
  const main = document.getElementById("main");
  const live = document.getElementById("live");
  const announce = document.getElementById("announce");
  const stream = main.dataset.stream;
  const RETRY_MS = 5000;
  let asking = false, again = false, source = null, timer = null;

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

  // What somebody has opened, typed or focused is as it was after a change.
  const mark = () => {
    const active = document.activeElement;
    const reason = main.querySelector("input[name=reason]");
    const summaries = [...main.querySelectorAll("summary")];
    return {
      reason: reason?.value, caret: active === reason ? reason?.selectionStart : null,
      target: active?.getAttribute?.("href") || active?.getAttribute?.("formaction"),
      summary: summaries.length - summaries.indexOf(active), hadSummary: summaries.includes(active),
      opened: summaries.map((one, at) => one.parentElement.open ? summaries.length - at : 0).filter(Boolean),
    };
  };
  const restore = (before) => {
    const reason = main.querySelector("input[name=reason]");
    if (reason && before.reason) reason.value = before.reason;
    const summaries = [...main.querySelectorAll("summary")];
    for (const fromEnd of before.opened) { const one = summaries[summaries.length - fromEnd]; if (one) one.parentElement.open = true; }
    if (document.activeElement && document.activeElement !== document.body) return;
    const escaped = before.target ? CSS.escape(before.target) : "";
    if (before.caret !== null && reason) { reason.focus(); reason.setSelectionRange(before.caret, before.caret); }
    else if (before.hadSummary) summaries[summaries.length - before.summary]?.focus();
    else if (escaped) (main.querySelector(`[href="${escaped}"], [formaction="${escaped}"]`) || main).focus();
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
      const marked = mark();
      const parts = fresh.querySelectorAll("[data-part]");
      const known = new Map([...document.querySelectorAll("[data-part]")].map((one) => [one.dataset.part, one]));
      const same = parts.length === known.size && [...parts].every((part) => known.has(part.dataset.part));
      if (!same) {
        main.replaceChildren(...fresh.getElementById("main").childNodes);
      } else {
        for (const part of parts) {
          const old = known.get(part.dataset.part);
          if (old.outerHTML !== part.outerHTML) old.replaceWith(part);
        }
      }
      main.dataset.digest = fresh.getElementById("main").dataset.digest || "";
      restore(marked);
      const phase = document.querySelector("[data-phase]")?.textContent;
      if (phase && phase !== before) announce.textContent = `The phase is ${phase} now.`;
      if (source && source.readyState === EventSource.OPEN) state("on", "live");
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

  // A tab that nobody sees holds no connection: a browser has six of them for one server.
  const open = () => {
    if (!stream || source || document.hidden) return;
    source = new EventSource(stream);
    source.addEventListener("open", () => state("on", "live"));
    source.addEventListener("changed", (event) => { if (event.data !== main.dataset.digest) refresh(); });
    source.addEventListener("error", () => {
      state("off", "not live");
      if (source && source.readyState === EventSource.CLOSED) {
        close();
        timer = setTimeout(() => { refresh(); open(); }, RETRY_MS);
      }
    });
  };
  const close = () => { clearTimeout(timer); source?.close(); source = null; };
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) { close(); state("off", "not live"); } else open();
  });
  open();
})();
