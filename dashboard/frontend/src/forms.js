// What a form needs only where no script runs is hidden: its button, when choosing is enough.
export function submitOnChange(root) {
  for (const element of root.querySelectorAll("[data-without-scripts]")) element.hidden = true;
  for (const form of root.querySelectorAll("form[data-submit-on-change]")) {
    form.addEventListener("change", () => form.requestSubmit());
  }
}
