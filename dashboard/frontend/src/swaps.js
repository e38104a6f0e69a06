// What a swap would take away. A screen reader follows only regions that stay, so that what a part has to say is in its
// data-says, and is put into the page's own region. A part marked data-answer answers somebody: it is said when they have
// asked, be it the same as before, and not when the part has changed by itself.
import { byItself } from "./session.js";

export function keepWhatSwapsTake(root) {
  const region = root.querySelector("[data-news]");
  const words = () => new Map([...root.querySelectorAll("[data-says]")].map((e) => [e.id, e.dataset.says]));
  let said = words();
  let opened = [];
  root.addEventListener("htmx:beforeSwap", () => (opened = [...root.querySelectorAll("details[open][id]")].map((e) => e.id)));
  root.addEventListener("htmx:afterSettle", (event) => {
    for (const id of opened) root.getElementById(id)?.setAttribute("open", "");
    const asked = !byItself(event.detail.requestConfig);
    const now = words();
    const news = [...now].filter(([id, text]) =>
      text !== "" && (root.getElementById(id).dataset.answer === undefined ? said.get(id) !== text : asked));
    said = now;
    if (news.length > 0) region.textContent = news.map(([, text]) => text).join(". ");
  });
}
