// A page that shows what changes by itself has one stream. The stream says that something changed and no more; htmx then
// fetches the part marked data-live-part anew, with its own address.
import { over } from "./session.js";

const words = {
  live: "Live",
  paused: "Paused",
  lost: "Connection lost, trying again",
  stale: "Could not update: reload the page",
  out: "Signed out",
};

export function followChanges(root, htmx) {
  const page = root.querySelector("[data-live]");
  if (!page) return;
  const status = page.querySelector("[data-live-status]");
  const pause = page.querySelector("[data-live-pause]");
  let paused = false;
  let waiting = false; // a change that was not fetched when it came

  const show = (state) => {
    page.dataset.liveState = state;
    if (status.textContent !== words[state]) status.textContent = words[state];
  };
  const fetchAnew = () => {
    // What is asked for while a choice is being answered would be dropped.
    if (paused || document.hidden || page.querySelector(".htmx-request")) {
      waiting = true;
      return;
    }
    waiting = false;
    const part = page.querySelector("[data-live-part]");
    if (part) htmx.trigger(part, "changed");
  };
  const follow = () => {
    const stream = new EventSource(page.dataset.live);
    stream.addEventListener("open", () => show(paused ? "paused" : "live"));
    stream.addEventListener("changed", fetchAnew);
    stream.addEventListener("error", () => {
      if (over) return stream.close();
      show("lost");
      // The browser tries again by itself unless the server has refused; then the reason may pass as well.
      if (stream.readyState === EventSource.CLOSED) setTimeout(follow, 10000);
    });
    addEventListener("pagehide", () => stream.close(), { once: true });
  };

  document.addEventListener("visibilitychange", () => waiting && fetchAnew());
  page.addEventListener("htmx:responseError", (event) => show(event.detail.xhr.status === 401 ? "out" : "stale"));
  page.addEventListener("htmx:sendError", () => show("stale"));
  page.addEventListener("htmx:afterSettle", () => {
    if (!paused) show("live");
    if (waiting) fetchAnew();
  });
  page.querySelector("[data-live-box]")?.removeAttribute("hidden");
  pause?.removeAttribute("hidden");
  pause?.addEventListener("click", () => {
    paused = !paused;
    pause.textContent = paused ? "Resume" : "Pause";
    show(paused ? "paused" : "live");
    if (!paused && waiting) fetchAnew();
  });
  markMoved(page);
  follow();
  // Nothing may have changed for long, but what was a minute ago is two minutes ago by now.
  setInterval(fetchAnew, 60000);
}

// markMoved lights up rows whose score is another after an update, and says how many there are to those who cannot see it.
function markMoved(page) {
  const news = page.querySelector("[data-live-news]");
  let before = new Map();
  const scores = () => new Map([...page.querySelectorAll("[data-row]")].map((row) => [row.dataset.row, row.dataset.score]));
  page.addEventListener("htmx:beforeSwap", () => (before = scores()));
  page.addEventListener("htmx:afterSettle", (event) => {
    if (event.detail.requestConfig?.triggeringEvent?.type !== "changed") return;
    const moved = [...page.querySelectorAll("[data-row]")].filter((row) => before.get(row.dataset.row) !== row.dataset.score);
    for (const row of moved) row.classList.add("moved");
    if (news && moved.length > 0) {
      const first = moved[0];
      news.textContent = `${first.dataset.name} now has score ${first.dataset.score}` + (moved.length > 1 ? `, and ${moved.length - 1} more have changed` : "");
    }
  });
}
