"""How the page looks; no rule names an outside resource."""

STYLE = """
:root { color-scheme: light dark;
  --page: #f6f7f9; --card: #fff; --ink: #1c2128; --quiet: #57606a; --line: #d5dae1; --link: #0a58ca;
  --thing: #dbe9ff; --thing-line: #2f6fd6; --attribute: #fdeccb; --attribute-line: #a86a00;
  --relation: #dff3e2; --relation-line: #23803a; --new: #c8f0d2; --new-ink: #0b4a1e;
  --old: #ffdcd9; --old-ink: #86181d; }
@media (prefers-color-scheme: dark) { :root {
  --page: #0f1318; --card: #181d24; --ink: #e4e8ee; --quiet: #9aa5b3; --line: #333c48; --link: #7fb2ff;
  --thing: #1b3157; --thing-line: #76a9ff; --attribute: #46320d; --attribute-line: #e6b354;
  --relation: #163b20; --relation-line: #6cc982; --new: #14492a; --new-ink: #b9f5ca;
  --old: #552022; --old-ink: #ffc9c5; } }
* { box-sizing: border-box; }
html { scroll-padding-top: 1rem; -webkit-text-size-adjust: 100%; }
body { margin: 0; background: var(--page); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
header, main, footer { max-width: 72rem; margin: 0 auto; padding: 0 1rem; }
header { padding-top: 1.5rem; }
h1, h2, h3 { line-height: 1.25; overflow-wrap: anywhere; }
h1 { font-size: 1.6rem; margin: 0; }
h2 { font-size: 1.2rem; margin: 0 0 .75rem; }
h3 { font-size: 1rem; margin: 1.5rem 0 .5rem; }
a { color: var(--link); }
:focus-visible { outline: 3px solid var(--link); outline-offset: 2px; border-radius: 4px; }
.skip { position: absolute; left: -999rem; }
.skip:focus { left: 1rem; top: .5rem; background: var(--card); padding: .5rem 1rem; z-index: 2; }
.quiet { color: var(--quiet); font-size: .875rem; overflow-wrap: anywhere; margin: .25rem 0 0; }
nav ul { display: flex; flex-wrap: wrap; gap: .5rem; list-style: none; padding: 0; margin: 1rem 0; }
nav a { display: inline-block; padding: .3rem .75rem; border: 1px solid var(--line); border-radius: 999px;
  background: var(--card); text-decoration: none; font-size: .9rem; }
section { background: var(--card); border: 1px solid var(--line); border-radius: 12px; padding: 1.25rem;
  margin: 0 0 1rem; }
.facts { display: grid; grid-template-columns: minmax(0, 3fr) minmax(0, 2fr); gap: 1.25rem; align-items: start; }
.facts figure { margin: 0; }
.frame { position: relative; line-height: 0; }
.frame img { width: 100%; height: auto; border-radius: 8px; }
.frame svg { position: absolute; inset: 0; width: 100%; height: 100%; }
.box rect { fill: transparent; stroke: #ffd447; stroke-width: 1.5; vector-effect: non-scaling-stroke; }
.box text { fill: #fff; stroke: #000; stroke-width: .25em; paint-order: stroke; stroke-linejoin: round; opacity: 0;
  font-weight: 600; pointer-events: none; }
.box:hover rect, .box:focus rect { stroke: #ff5d8f; stroke-width: 3; fill: rgba(255, 93, 143, .15); }
.box:hover text, .box:focus text, .facts:has(#names:checked) .box text { opacity: 1; }
.box:focus { outline: none; }
.switch { display: flex; align-items: center; gap: .5rem; margin-top: .5rem; font-size: .9rem; min-height: 2rem; }
.caption { font-size: 1.25rem; line-height: 1.6; margin: 0 0 .75rem; overflow-wrap: anywhere; }
.thing, .attribute, .relation { border-bottom: 3px solid; padding: 0 .1em; border-radius: 3px 3px 0 0; }
.thing { background: var(--thing); border-color: var(--thing-line); }
.attribute { background: var(--attribute); border-bottom-style: dotted; border-color: var(--attribute-line); }
.relation { background: var(--relation); border-bottom-style: dashed; border-color: var(--relation-line); }
.scroll { overflow-x: auto; }
.graph { display: block; margin: 1rem 0; }
.graph text { font: 14px system-ui, sans-serif; fill: var(--ink); text-anchor: middle; dominant-baseline: central; }
.graph rect { stroke-width: 1.5; }
.graph .node-thing rect { fill: var(--thing); stroke: var(--thing-line); stroke-width: 2; }
.graph .node-attribute rect { fill: var(--attribute); stroke: var(--attribute-line); stroke-dasharray: 2 3; }
.graph .node-relation rect { fill: var(--relation); stroke: var(--relation-line); stroke-dasharray: 6 3; }
.graph .way { fill: none; stroke: var(--relation-line); stroke-width: 1.5; }
.graph .stem { fill: none; stroke: var(--attribute-line); stroke-width: 1.5; }
.graph .head { fill: var(--relation-line); }
table { border-collapse: collapse; width: 100%; font-size: .95rem; }
th, td { text-align: start; vertical-align: top; padding: .4rem .75rem .4rem 0; border-bottom: 1px solid var(--line);
  overflow-wrap: anywhere; }
th { color: var(--quiet); font-size: .8rem; font-weight: 600; }
.score { width: 4.5rem; font-variant-numeric: tabular-nums; white-space: nowrap; }
.origin { width: 8.5rem; }
.scroll th, .scroll td { overflow-wrap: normal; }
.names { display: flex; flex-wrap: wrap; gap: .4rem; list-style: none; margin: 0; padding: 0; font-size: .9rem; }
.names li { border: 1px solid var(--line); border-radius: 6px; padding: .1rem .5rem; overflow-wrap: anywhere; }
tr:last-child td { border-bottom: 0; }
ol.texts, ul.texts { margin: 0; padding-inline-start: 2.75rem; }
.texts li { padding: .3rem 0; overflow-wrap: anywhere; }
.texts li::marker { color: var(--quiet); font-size: .85rem; font-variant-numeric: tabular-nums; }
.change { color: var(--quiet); font-size: .85rem; margin-inline-start: .6rem; display: inline-block; max-width: 100%;
  overflow-wrap: break-word; }
del { background: var(--old); color: var(--old-ink); text-decoration: line-through; border-radius: 3px;
  padding: 0 .15em; }
ins { background: var(--new); color: var(--new-ink); font-weight: 600; text-decoration: underline; border-radius: 3px;
  padding: 0 .15em; }
del::before, ins::before { position: absolute; clip-path: inset(50%); width: 1px; height: 1px; overflow: hidden;
  white-space: nowrap; }
del::before { content: " [removed: "; }
ins::before { content: " [new: "; }
summary { cursor: pointer; color: var(--link); padding: .5rem 0; }
.absent { border-inline-start: 4px solid var(--attribute-line); padding: .25rem .75rem; margin: 0;
  overflow-wrap: anywhere; }
.thumbs { list-style: none; padding: 0; margin: 0; display: grid; gap: .75rem;
  grid-template-columns: repeat(auto-fill, minmax(8.5rem, 1fr)); }
.thumbs img, .thumbs .none { display: block; width: 100%; height: auto; aspect-ratio: 4 / 3; object-fit: contain;
  border-radius: 6px; background: var(--page); }
.thumbs .none { display: grid; place-items: center; text-align: center; color: var(--quiet); font-size: .8rem;
  border: 1px dashed var(--line); padding: .5rem; }
.thumbs figure { margin: 0; }
.thumbs figcaption { font-size: .8rem; color: var(--quiet); overflow-wrap: anywhere; }
details .thumbs { margin-top: .5rem; }
footer { padding-bottom: 2rem; }
@media (max-width: 44rem) {
  .facts { grid-template-columns: minmax(0, 1fr); }
  header, main, footer { padding-inline: .75rem; }
  section { padding: 1rem .75rem; }
  .box text { font-size: 1.9em; }
  .origin { width: 5.5rem; }
  ol.texts, ul.texts { padding-inline-start: 2.25rem; } }
@media print { body { background: #fff; } nav, .skip, .switch { display: none; } section { break-inside: avoid-page; } }
"""
