"""The report's one stylesheet: light and dark, narrow, wide and on paper, nothing fetched."""

LIGHT = """
  --page: #ffffff; --panel: #f5f6f8; --ink: #1b1f24; --quiet: #57606a; --grid: #d5d9de;
  --pass: #1a7f37; --warning: #9a5b00; --fail: #c4232b; --inconclusive: #7a3fb5;
  --series-1: #2563c9; --series-2: #b04e08; --series-3: #9b2c8f;
  --series-4: #0f7b6c; --series-5: #6b5b00; --series-6: #4a4a8a;
"""
DARK = """
  --page: #14171c; --panel: #1d2128; --ink: #e8eaed; --quiet: #a3abb5; --grid: #3a414b;
  --pass: #57c172; --warning: #e5a23d; --fail: #ff7b72; --inconclusive: #c79bf2;
  --series-1: #7cb0ff; --series-2: #ffa657; --series-3: #e58fdc;
  --series-4: #5fd0bd; --series-5: #d6c55a; --series-6: #b3b3f0;
"""

CSS = (
    f"""
:root {{{LIGHT}}}
@media (prefers-color-scheme: dark) {{ :root {{{DARK}}} }}
@media print {{ :root {{{LIGHT}}} }}
"""
    + """
:root { color-scheme: light dark; }
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--page); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Liberation Sans", sans-serif;
}
main, header, footer { max-width: 1360px; margin: 0 auto; padding: 0 20px; }
header { padding-top: 18px; }
h1 { font-size: 1.3rem; margin: 0 0 12px; overflow-wrap: anywhere; }
section h2 {
  font-size: 1.15rem; margin: 32px 0 10px; padding-top: 10px; border-top: 1px solid var(--grid);
}
h3, .beneath h2 { font-size: 1rem; margin: 18px 0 6px; overflow-wrap: anywhere; }
p, li, dd { overflow-wrap: anywhere; }
p { margin: 6px 0; max-width: 80ch; }
ul { margin: 6px 0; padding-left: 22px; }
a { color: var(--series-1); }
:focus-visible { outline: 2px solid var(--series-1); outline-offset: 2px; }
.quiet, caption, figcaption { color: var(--quiet); }
.pass { --tier: var(--pass); } .warning { --tier: var(--warning); }
.fail { --tier: var(--fail); } .inconclusive { --tier: var(--inconclusive); }

.banner {
  border: 2px solid var(--tier); border-left-width: 12px; border-radius: 6px;
  background: var(--panel); padding: 12px 18px;
}
.banner p { max-width: 100ch; margin: 0; }
.banner .tier { font-size: 1.5rem; font-weight: 700; line-height: 1.3; color: var(--tier); }
.banner .headline { font-size: 1.15rem; margin: 2px 0 6px; }
.badges { display: flex; flex-wrap: wrap; gap: 6px; margin: 8px 0; padding: 0; list-style: none; }
.badges li {
  border: 1.5px dashed var(--warning); border-radius: 4px; padding: 1px 8px; font-weight: 600;
}
.facts {
  display: flex; flex-wrap: wrap; gap: 4px 26px; margin: 12px 0 0; padding-top: 10px;
  border-top: 1px solid var(--grid);
}
.facts dt { font-size: 0.8rem; } .facts dd { font-weight: 600; }
.beneath {
  display: grid; gap: 0 32px;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 340px), 1fr));
}
.contents { margin: 20px 0 0; border-top: 1px solid var(--grid); padding-top: 8px; }
.contents ul { display: flex; flex-wrap: wrap; gap: 2px 18px; padding: 0; list-style: none; }

.scroll { overflow-x: auto; margin-top: 12px; }
.scroll, pre {
  --under: var(--page);
  /* A shadow at an edge behind which there is more; it scrolls away with the end. */
  background:
    linear-gradient(to right, var(--under) 40%, transparent) 0 0 / 40px 100% no-repeat local,
    linear-gradient(to left, var(--under) 40%, transparent) 100% 0 / 40px 100% no-repeat local,
    linear-gradient(to right, var(--grid), transparent) 0 0 / 14px 100% no-repeat scroll,
    linear-gradient(to left, var(--grid), transparent) 100% 0 / 14px 100% no-repeat scroll;
}
table { border-collapse: collapse; font-size: 0.92rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; padding: 4px 0; max-width: 80ch; }
th, td {
  text-align: left; vertical-align: top; padding: 5px 12px 5px 0;
  border-bottom: 1px solid var(--grid);
}
thead th { color: var(--quiet); font-weight: 600; white-space: nowrap; vertical-align: bottom; }
tbody th { font-weight: 600; }
tbody th, td { min-width: 12em; max-width: 34em; overflow-wrap: anywhere; }
td.number, .short { white-space: nowrap; overflow-wrap: normal; min-width: 0; }
.number { text-align: right; }

.mark { color: var(--tier); font-weight: 600; white-space: nowrap; }
.checks .scroll { background: none; }
.checks table { width: 100%; }
.checks td, .checks th { min-width: 0; padding-right: 18px; }
.checks tbody th { min-width: 7em; overflow-wrap: break-word; }
.checks td:last-child { white-space: normal; min-width: 11em; overflow-wrap: anywhere; }
.interval, .limits, .qualified { display: block; font-size: 0.85rem; white-space: nowrap; }
.margin { display: block; width: 208px; max-width: 100%; height: 22px; margin-top: 1px; }
.zone { fill: var(--tier); fill-opacity: 0.55; stroke: var(--page); stroke-width: 1; }
.zone.gap { stroke: var(--tier); stroke-dasharray: 2 2; fill-opacity: 0.3; }
.whisker { stroke: var(--ink); stroke-width: 1.6; fill: none; }
.value { fill: var(--ink); stroke: var(--page); stroke-width: 1.2; }
summary { cursor: pointer; }
details p { margin: 2px 0 2px 14px; color: var(--quiet); }

.charts {
  display: grid; gap: 20px 28px; align-items: start;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, 520px), 1fr));
}
figure { margin: 0; min-width: 0; }
figure svg { width: 100%; height: auto; max-width: 700px; display: block; }
figure svg * { stroke-linejoin: round; stroke-linecap: butt; }
[id*="-cells-"] { shape-rendering: crispEdges; }
figcaption { font-size: 0.9rem; overflow-wrap: anywhere; }
figcaption strong { color: var(--ink); }
dl {
  display: grid; grid-template-columns: minmax(8em, max-content) 1fr;
  gap: 2px 18px; margin: 6px 0;
}
dt { color: var(--quiet); } dd { margin: 0; min-width: 0; }
pre {
  --under: var(--panel);
  background-color: var(--panel); padding: 10px; overflow: auto; border-radius: 6px;
  font-size: 0.85rem; max-height: 40em;
}
.traceback { white-space: pre-wrap; overflow-wrap: anywhere; }
footer { margin-top: 36px; margin-bottom: 24px; color: var(--quiet); font-size: 0.88rem; }

@media (max-width: 760px) {
  main, header, footer { padding-left: 12px; padding-right: 12px; }
  dl:not(.facts) { grid-template-columns: 1fr; } dl:not(.facts) dd { margin-bottom: 6px; }
  .banner { padding: 10px 12px; border-left-width: 8px; }
}
/* A chart as wide as a telephone needs all of it for its letters to be read. */
@media screen and (max-width: 480px) {
  main, header, footer { padding-left: 8px; padding-right: 8px; }
}
/* Neither a narrow screen nor a sheet of paper scrolls sideways: each row becomes a card. */
@media (max-width: 1180px), print {
  .scroll { background: none; overflow: visible; }
  .scroll thead { display: none; }
  .scroll table, .scroll tbody, .scroll caption { display: block; }
  .scroll tr {
    display: grid; grid-template-columns: repeat(auto-fill, minmax(9.5em, 1fr)); gap: 0 14px;
    border-bottom: 1px solid var(--grid); padding: 6px 0;
  }
  .scroll tbody th, .scroll td {
    border: 0; padding: 1px 0; text-align: left; white-space: normal;
    min-width: 0; max-width: none; overflow-wrap: anywhere;
  }
  .scroll td::before { content: attr(data-label) ": "; color: var(--quiet); }
  .scroll td:empty { display: none; }
  .scroll tbody th { grid-column: 1 / -1; }
  .checks .scroll tr { grid-template-columns: auto 1fr; gap: 2px 14px; padding: 10px 0; }
  .checks .scroll td:nth-child(5), .checks .scroll td:last-child { grid-column: 1 / -1; }
  .checks .scroll tbody th { grid-column: auto; }
  .checks td:nth-child(-n+5)::before, .checks td:last-child::before { content: none; }
  .checks .margin { width: 100%; max-width: 340px; height: auto; }
  .checks .interval { display: inline; margin-left: 8px; }
}
/* Between a telephone and a wide screen two cards stand beside each other. */
@media screen and (min-width: 761px) and (max-width: 1180px) {
  .checks .scroll tbody {
    display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 0 32px;
  }
  .checks .scroll tr { align-content: start; }
}
@media print {
  body { font-size: 10.5pt; }
  .contents { display: none; }
  h2 { break-after: avoid; }
  figure, tr, .banner { break-inside: avoid; }
  pre { max-height: none; white-space: pre-wrap; }
  .charts { grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 12px; }
}
"""
)
