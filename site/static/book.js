// Boxes that scroll sideways can be reached and moved with the keyboard.
function reach() {
  for (const box of document.querySelectorAll("div.math, .bd-article table, div.cell_output, mjx-container, pre")) {
    if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
  }
}
window.addEventListener("load", () => {
  reach();
  window.MathJax?.startup?.promise?.then(reach);
});
window.addEventListener("resize", reach);
