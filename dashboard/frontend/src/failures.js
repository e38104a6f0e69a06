// A part that follows something by itself stays as it was when its request fails. The page says so until the part succeeds. The
// live list has a word of its own: see live.js. So has a session that has ended.
import { over } from "./session.js";

export function tellFailures(root) {
  const notice = root.querySelector("[data-not-updated]");
  if (!notice) return;
  const failed = new Set();
  const note = (event, wrong) => {
    // The part by its id: once it is swapped, another element is the event's.
    const { requestConfig, target } = event.detail;
    if (over || target?.closest("[data-live]")) return;
    if (wrong) failed.add(requestConfig.elt.id);
    else failed.delete(requestConfig.elt.id);
    notice.hidden = failed.size === 0;
  };
  for (const name of ["htmx:responseError", "htmx:sendError", "htmx:timeout"]) root.addEventListener(name, (event) => note(event, true));
  root.addEventListener("htmx:afterRequest", (event) => event.detail.successful && note(event, false));
}
