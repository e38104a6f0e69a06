// What a page asks by itself keeps no session alive, so each such request says what it is: whatever no event of a person has
// led to. When the session has ended meanwhile, the page says so and leaves it to whoever looks at it to sign in again.

// over says that the session has ended.
export let over = false;

export const byItself = (request) => !request?.triggeringEvent?.isTrusted;

export function keepToSession(root) {
  root.addEventListener("htmx:configRequest", (event) => {
    if (!byItself(event.detail)) return;
    if (over) event.preventDefault();
    event.detail.headers["Kustiq-By-Itself"] = "true";
  });
  root.addEventListener("htmx:responseError", (event) => {
    const notice = root.querySelector("[data-signed-out]");
    if (over || !notice || event.detail.xhr.status !== 401) return;
    over = true;
    notice.append(root.querySelector("template[data-signed-out-words]").content.cloneNode(true));
    notice.querySelector("a").href = "/signin?next=" + encodeURIComponent(location.pathname + location.search);
  });
}
