"""The report's one stylesheet: light and dark, narrow and wide, nothing fetched."""

CSS = """
:root {
  color-scheme: light dark;
  --page: #ffffff; --panel: #f5f6f8; --ink: #1b1f24; --quiet: #57606a; --grid: #d5d9de;
  --pass: #1a7f37; --warning: #9a5b00; --fail: #c4232b; --inconclusive: #7a3fb5;
  --series-1: #2563c9; --series-2: #c2570c; --series-3: #9b2c8f;
  --series-4: #0f7b6c; --series-5: #6b5b00; --series-6: #4a4a8a;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #14171c; --panel: #1d2128; --ink: #e8eaed; --quiet: #a3abb5; --grid: #3a414b;
    --pass: #57c172; --warning: #e5a23d; --fail: #ff7b72; --inconclusive: #c79bf2;
    --series-1: #7cb0ff; --series-2: #ffa657; --series-3: #e58fdc;
    --series-4: #5fd0bd; --series-5: #d6c55a; --series-6: #b3b3f0;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--page); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Liberation Sans", sans-serif;
}
main, header { max-width: 1360px; margin: 0 auto; padding: 0 20px; }
header { padding-top: 20px; }
h1 { font-size: 1.3rem; margin: 0 0 12px; overflow-wrap: anywhere; }
h2 {
  font-size: 1.12rem; margin: 36px 0 10px; padding-top: 10px;
  border-top: 1px solid var(--grid);
}
h3 { font-size: 1rem; margin: 20px 0 6px; overflow-wrap: anywhere; }
p, li, dd { overflow-wrap: anywhere; }
p { margin: 6px 0; max-width: 80ch; }
ul { margin: 6px 0; padding-left: 22px; }
.quiet, caption, figcaption { color: var(--quiet); }
.banner {
  border: 2px solid var(--tier); border-left-width: 12px; border-radius: 6px;
  background: var(--panel); padding: 14px 18px;
}
.banner .tier { font-size: 1.35rem; font-weight: 700; color: var(--tier); }
.banner .headline { font-size: 1.08rem; margin: 4px 0 8px; max-width: 100ch; }
.pass { --tier: var(--pass); } .warning { --tier: var(--warning); }
.fail { --tier: var(--fail); } .inconclusive { --tier: var(--inconclusive); }
.mark { color: var(--tier); font-weight: 600; white-space: nowrap; }
.banner .quiet { max-width: none; margin-bottom: 0; }
.badges { display: flex; flex-wrap: wrap; gap: 6px; margin: 8px 0; }
.badge {
  border: 1.5px dashed var(--warning); border-radius: 4px; padding: 1px 8px;
  font-weight: 600; overflow-wrap: anywhere;
}
.scroll {
  overflow-x: auto;
  /* A shadow at an edge behind which there is more; it scrolls away with the table's end. */
  background:
    linear-gradient(to right, var(--page) 40%, transparent) 0 0 / 40px 100% no-repeat local,
    linear-gradient(to left, var(--page) 40%, transparent) 100% 0 / 40px 100% no-repeat local,
    linear-gradient(to right, var(--grid), transparent) 0 0 / 14px 100% no-repeat scroll,
    linear-gradient(to left, var(--grid), transparent) 100% 0 / 14px 100% no-repeat scroll;
}
table { border-collapse: collapse; font-size: 0.92rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; padding: 4px 0; }
th, td {
  text-align: left; vertical-align: top; padding: 5px 14px 5px 0;
  border-bottom: 1px solid var(--grid);
}
th { color: var(--quiet); font-weight: 600; white-space: nowrap; }
td { min-width: 12em; max-width: 34em; overflow-wrap: anywhere; }
.number, .short { white-space: nowrap; overflow-wrap: normal; min-width: 0; }
.number { text-align: right; }
.checks td:last-child { min-width: 17em; max-width: 46em; }
.charts {
  display: grid; gap: 18px 28px;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, 520px), 1fr));
}
figure { margin: 0; min-width: 0; }
figure svg { width: 100%; height: auto; max-width: 700px; display: block; }
figure svg * { stroke-linejoin: round; stroke-linecap: butt; }
figcaption { font-size: 0.9rem; overflow-wrap: anywhere; }
figcaption strong { color: var(--ink); }
dl {
  display: grid; grid-template-columns: minmax(8em, max-content) 1fr;
  gap: 2px 18px; margin: 6px 0;
}
dt { color: var(--quiet); } dd { margin: 0; min-width: 0; }
pre {
  background: var(--panel); padding: 10px; overflow-x: auto; border-radius: 6px;
  font-size: 0.85rem; max-height: 24em;
}
footer { margin: 40px 0 30px; color: var(--quiet); font-size: 0.88rem; }
@media (max-width: 600px) {
  main, header { padding-left: 12px; padding-right: 12px; }
  dl { grid-template-columns: 1fr; } dd { margin-bottom: 6px; }
}
@media (max-width: 760px) {
  .scroll thead { display: none; }
  .scroll table, .scroll tbody, .scroll caption { display: block; }
  .scroll tr {
    display: grid; grid-template-columns: repeat(auto-fill, minmax(9.5em, 1fr)); gap: 0 14px;
    border-bottom: 1px solid var(--grid); padding: 6px 0;
  }
  .scroll td {
    border: 0; padding: 1px 0; text-align: left; white-space: normal;
    min-width: 0; max-width: none; overflow-wrap: anywhere;
  }
  .scroll td::before { content: attr(data-label) ": "; color: var(--quiet); }
  .scroll td:first-child { grid-column: 1 / -1; font-weight: 600; }
  .checks td, .checks td:last-child { grid-column: 1 / -1; min-width: 0; }
}
@media print {
  h2 { break-after: avoid; } figure, tr { break-inside: avoid; }
}
"""
