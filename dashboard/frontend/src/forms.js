// A form marked data-submit-on-change needs no button: choosing is enough. Its button is for browsers without scripts.
export function submitOnChange(root) {
  for (const form of root.querySelectorAll("form[data-submit-on-change]")) {
    form.querySelector("button")?.setAttribute("hidden", "");
    form.addEventListener("change", () => form.requestSubmit());
  }
}
