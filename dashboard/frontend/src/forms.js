// Where scripts run, a form that follows what is chosen in it needs no button.
export function hideNeedlessButtons(root) {
  for (const element of root.querySelectorAll("[data-without-scripts]")) element.hidden = true;
}
