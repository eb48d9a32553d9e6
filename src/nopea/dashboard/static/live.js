// Keeps a page current: server-sent events replace what changed, and times are shown as ages.
"use strict";
(() => {
  const SILENT = 60000; // the server sends something every 15 seconds
  const WAITS = [2000, 60000];
  let source = null;
  let at = "";
  let heard = 0;
  let wait = WAITS[0];
  let waiting = 0;

  const age = (seconds) => {
    for (const [size, unit] of [[86400, "d"], [3600, "h"], [60, "m"]]) {
      if (seconds >= 2 * size) return `${Math.floor(seconds / size)}${unit}`;
    }
    return `${Math.max(Math.floor(seconds), 0)}s`;
  };

  const showAges = (root) => {
    for (const time of root.querySelectorAll("time[data-style]")) {
      const seconds = (Date.now() - Date.parse(time.dateTime)) / 1000;
      if (Number.isNaN(seconds)) continue;
      const text = seconds < -5 ? `in ${age(-seconds)}`
        : time.dataset.style === "for" ? `for ${age(seconds)}` : `${age(seconds)} ago`;
      if (time.textContent !== text) {
        time.title = time.title || time.textContent;
        time.textContent = text;
      }
    }
  };

  const say = (text, level) => {
    const place = document.getElementById("live");
    if (place.textContent !== text) place.textContent = text;
    place.className = `live ${level}`;
  };

  const elementOf = (html) => {
    const template = document.createElement("template");
    template.innerHTML = html;
    return template.content.firstElementChild;
  };

  // What the user has opened, chosen or typed in an element stays when a newer one takes its place.
  const keep = (old, fresh) => {
    for (const details of old.querySelectorAll("details[id]")) {
      const same = fresh.querySelector(`#${CSS.escape(details.id)}`);
      if (same) same.open = details.open;
    }
    for (const box of old.querySelectorAll("input[type=checkbox][id]")) {
      const same = fresh.querySelector(`#${CSS.escape(box.id)}`);
      if (same) same.checked = box.checked;
    }
  };

  const put = (fresh, place) => {
    const old = document.getElementById(fresh.id);
    const active = document.activeElement;
    const path = old && active && old.contains(active)
      ? [active.id && `#${CSS.escape(active.id)}`, active.matches("a[href]") && `a[href="${CSS.escape(active.getAttribute("href"))}"]`, active.localName]
        .find(Boolean) : "";
    if (old) keep(old, fresh);
    place(old);
    if (path) (fresh.querySelector(path) || fresh).focus({ preventScroll: true });
    showAges(fresh);
    htmx.process(fresh);
  };

  const putRow = (fresh) => {
    const rows = document.getElementById("rows");
    put(fresh, (old) => {
      const next = [...rows.children].find((row) => row !== old && row.dataset.order > fresh.dataset.order);
      const following = old ? old.nextElementSibling : undefined;
      if (old && following === (next || null)) old.replaceWith(fresh);
      else {
        if (old) old.remove();
        rows.insertBefore(fresh, next || null);
      }
    });
    fresh.classList.add("fresh");
  };

  const disconnect = () => {
    clearTimeout(waiting);
    waiting = 0;
    source?.close();
    source = null;
  };

  // A browser does not open a stream again that was refused. Whoever may not see the page any more, loads it again.
  const tryLater = () => {
    disconnect();
    say("not live; trying again", "warning");
    waiting = setTimeout(async () => {
      const answer = await fetch(location.pathname, { method: "HEAD", cache: "no-store" }).catch(() => null);
      if (!waiting) return;
      if (answer?.ok) connect();
      else if (answer && answer.status < 500) location.reload();
      else tryLater();
    }, wait);
    wait = Math.min(2 * wait, WAITS[1]);
  };

  const connect = () => {
    disconnect();
    const page = document.querySelector("[data-live]");
    if (!page) return;
    at = page.dataset.at || at;
    if (document.hidden) return;
    const address = new URL(page.dataset.live, location.href);
    address.searchParams.set("at", at);
    const opened = source = new EventSource(address);
    heard = Date.now();
    const on = (name, act) => opened.addEventListener(name, (event) => {
      if (opened !== source) return;
      heard = Date.now();
      if (event.lastEventId) page.dataset.at = at = event.lastEventId;
      act(event.data);
    });
    opened.onopen = () => {
      heard = Date.now();
      wait = WAITS[0];
      say("live", "good");
    };
    opened.onerror = () => {
      if (opened !== source) return;
      if (opened.readyState === EventSource.CLOSED) tryLater();
      else say("reconnecting…", "warning");
    };
    on("row", (html) => putRow(elementOf(html)));
    on("gone", (id) => document.getElementById(id)?.remove());
    on("section", (html) => {
      const fresh = elementOf(html);
      put(fresh, (old) => old?.replaceWith(fresh));
    });
    on("title", (text) => { document.title = text; });
    on("alive", () => {});
    on("reload", () => location.reload());
  };

  document.addEventListener("visibilitychange", () => {
    if (document.hidden) disconnect(); else connect();
  });
  document.addEventListener("htmx:afterSettle", (event) => {
    showAges(document);
    if (event.detail.elt?.querySelector?.("[data-live]") || event.detail.elt?.matches?.("[data-live]")) connect();
  });
  document.addEventListener("htmx:historyRestore", connect);
  document.addEventListener("htmx:responseError", (event) => {
    const place = document.getElementById("notice");
    if (place) place.innerHTML = "";
    if (place) place.append(Object.assign(document.createElement("p"), {
      className: "banner bad",
      textContent: `The request failed (${event.detail.xhr.status}). Reload the page and try again.`,
    }));
  });
  document.addEventListener("keydown", (event) => {
    const search = document.getElementById("search");
    if (event.key === "/" && search && !event.ctrlKey && !event.metaKey && !event.altKey
        && !event.target.matches("input, textarea, select")) {
      event.preventDefault();
      search.focus();
      search.select();
    }
  });
  window.addEventListener("online", connect);
  for (const next of document.querySelectorAll("input[name=next]")) next.value += location.hash;
  setInterval(() => {
    showAges(document);
    if (source && Date.now() - heard > SILENT) connect(); // after a sleep, or when a proxy has forgotten it
  }, 10000);
  showAges(document);
  connect();
})();
