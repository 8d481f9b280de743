"use strict";
(() => {
  const started = performance.now();
  const { figures, templates } = JSON.parse(document.getElementById("figures").textContent);
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const touch = matchMedia("(pointer: coarse)").matches;
  const places = [...document.querySelectorAll("[data-figure]")];
  // Pixels that fit a sheet of A4 or Letter, alone and two beside each other.
  const PRINT_WIDTH = 680;
  const PRINT_WIDTH_IN_GRID = 330;
  let printing = false;

  function layoutOf(figure, place) {
    const template = !printing && dark.matches ? templates.dark : templates.light;
    const layout = { ...figure.layout, template, autosize: !printing };
    if (printing) layout.width = place.closest(".grid") ? PRINT_WIDTH_IN_GRID : PRINT_WIDTH;
    // On a touch screen a drag is meant for the page.
    if (touch) layout.dragmode = false;
    return layout;
  }

  const config = {
    responsive: true,
    displaylogo: false,
    displayModeBar: touch ? false : "hover",
    modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d"],
  };

  function draw(place) {
    const figure = figures[place.dataset.figure];
    return Plotly.react(place, figure.data, layoutOf(figure, place), config);
  }

  function drawAll() {
    for (const place of places) if (place.dataset.drawn) draw(place);
  }

  // One figure at a time, so that the page can be read and scrolled meanwhile.
  async function drawInOrder() {
    for (const place of places) {
      await draw(place);
      place.dataset.drawn = "yes";
      await new Promise((resume) => setTimeout(resume));
    }
    document.documentElement.dataset.drawnMs = Math.round(performance.now() - started);
  }

  function showReplicates(box) {
    const place = document.querySelector(`[data-figure="${CSS.escape(box.dataset.replicates)}"]`);
    const traces = place.data.flatMap((trace, index) => (trace.meta === "replicate" ? [index] : []));
    Plotly.restyle(place, { visible: box.checked }, traces);
  }

  for (const box of document.querySelectorAll("[data-replicates]")) {
    box.checked = false;
    box.addEventListener("change", () => showReplicates(box));
  }
  dark.addEventListener("change", drawAll);
  addEventListener("beforeprint", () => { printing = true; drawAll(); });
  addEventListener("afterprint", () => { printing = false; drawAll(); });
  drawInOrder();
})();
