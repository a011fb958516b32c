"""How the page of explained_page.py looks and what it does; no rule names an outside resource."""

STYLE = """
:root { color-scheme: light dark; --page: #f6f7f9; --card: #fff; --ink: #1c2128; --quiet: #57606a; --line: #d5dae1;
  --link: #0a58ca; --heat: 240, 150, 20; --bar: #2f6fd6; }
@media (prefers-color-scheme: dark) { :root { --page: #0f1318; --card: #181d24; --ink: #e4e8ee; --quiet: #9aa5b3;
  --line: #333c48; --link: #7fb2ff; --heat: 255, 170, 50; --bar: #76a9ff; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
header, main { max-width: 76rem; margin: 0 auto; padding: 0 1rem; }
h1, h2, h3 { line-height: 1.25; overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; margin: 1.5rem 0 .5rem; }
h2 { font-size: 1.2rem; margin: 0 0 .25rem; }
h3 { font-size: 1rem; margin: 0 0 .5rem; }
a { color: var(--link); }
:focus-visible { outline: 3px solid var(--link); outline-offset: 2px; border-radius: 4px; }
.quiet { color: var(--quiet); font-size: .875rem; overflow-wrap: anywhere; margin: .25rem 0; }
nav ul { display: flex; flex-wrap: wrap; gap: .25rem 1rem; list-style: none; padding: 0; margin: .5rem 0 1rem; }
nav a { overflow-wrap: anywhere; }
section { background: var(--card); border: 1px solid var(--line); border-radius: 12px; padding: 1.25rem;
  margin: 0 0 1rem; }
.facts { display: grid; grid-template-columns: minmax(0, 1fr) minmax(0, 1fr); gap: 1.25rem; align-items: start;
  margin-top: .75rem; }
.facts.alone { grid-template-columns: minmax(0, 1fr); }
figure { margin: 0; }
.frame { position: relative; line-height: 0; }
.frame img { width: 100%; height: auto; border-radius: 8px; }
.frame svg { position: absolute; inset: 0; width: 100%; height: 100%; }
.bare { background: #3a4048; border-radius: 8px; }
.bare svg { position: static; height: auto; }
.box { fill: #ffe066; stroke: #ffd447; stroke-width: 1.5; vector-effect: non-scaling-stroke; }
.box:hover { stroke: #ff5d8f; stroke-width: 3; }
.name { fill: #fff; stroke: #000; stroke-width: .25em; paint-order: stroke; stroke-linejoin: round; opacity: 0;
  font-weight: 600; pointer-events: none; }
.name.most, figure:has(.names:checked) .name { opacity: 1; }
.switch { display: flex; align-items: center; gap: .5rem; font-size: .9rem; min-height: 2rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .9rem; }
th, td { text-align: start; padding: .3rem .5rem; border-bottom: 1px solid var(--line); }
thead th { color: var(--quiet); font-size: .8rem; font-weight: 600; vertical-align: bottom; }
.answers { width: 100%; }
.answers td { overflow-wrap: anywhere; }
.bars { width: 40%; min-width: 4rem; }
.bar { display: block; width: 100%; height: .7rem; background: var(--line); border-radius: 3px; }
.bar rect { fill: var(--bar); }
.number, .heat td { font-variant-numeric: tabular-nums; text-align: end; white-space: nowrap; }
.number { width: 5rem; }
.heat tbody th { font-weight: 600; white-space: nowrap; position: sticky; inset-inline-start: 0;
  background: var(--card); }
.heat thead th { max-width: 6rem; overflow-wrap: break-word; min-width: 2.5rem; }
.heat thead th + th { text-align: end; }
.heat .chosen th { box-shadow: inset 4px 0 var(--link); }
.heat .chosen td { border-block: 2px solid var(--link); }
fieldset { border: 0; padding: 0; margin: .75rem 0 0; min-width: 0; display: flex; flex-wrap: wrap; gap: .25rem; }
legend { font-size: .875rem; color: var(--quiet); padding: 0; margin-bottom: .25rem; }
.chip { position: relative; max-width: 100%; }
.chip input { position: absolute; opacity: 0; inset: 0; margin: 0; width: 100%; height: 100%; cursor: pointer; }
.chip label { display: block; padding: .1rem .45rem; border: 1px solid var(--line); border-radius: 6px;
  overflow-wrap: anywhere; white-space: pre-wrap; }
.chip input:checked + label { box-shadow: 0 0 0 2px var(--link); border-color: var(--link); font-weight: 600; }
.chip input:focus-visible + label { outline: 3px solid var(--link); outline-offset: 3px; }
.chip input:disabled { cursor: default; }
.chip input:disabled + label { border-style: dashed; }
.sum { font-size: .9rem; margin: .75rem 0 0; overflow-wrap: anywhere; }
summary { cursor: pointer; color: var(--link); padding: .75rem 0 .5rem; }
[data-level="1"] { background: rgba(var(--heat), .08); } [data-level="2"] { background: rgba(var(--heat), .15); }
[data-level="3"] { background: rgba(var(--heat), .22); } [data-level="4"] { background: rgba(var(--heat), .29); }
[data-level="5"] { background: rgba(var(--heat), .6); } [data-level="6"] { background: rgba(var(--heat), .68); }
[data-level="7"] { background: rgba(var(--heat), .76); } [data-level="8"] { background: rgba(var(--heat), .88); }
[data-level="9"] { background: rgb(var(--heat)); }
[data-level="5"], [data-level="6"], [data-level="7"], [data-level="8"], [data-level="9"] { color: #000; }
@media (max-width: 44rem) { .facts { grid-template-columns: minmax(0, 1fr); } header, main { padding-inline: .75rem; }
  section { padding: 1rem .75rem; } .name { font-size: 1.6em; } }
@media print { body { background: #fff; } section { break-inside: avoid-page; } }
"""

SCRIPT = """
const data = JSON.parse(document.getElementById('data').textContent);
const sum = shares => shares.reduce((a, b) => a + b, 0);
const parts = shares => { const most = Math.max(1e-9, ...shares); return shares.map(share => share / most); };
function show(section, word) {
  const regions = data[section.dataset.input].regions[word], words = data[section.dataset.input].words[word];
  const boxes = parts(regions.slice(1)), shades = parts(words);
  section.querySelectorAll('.box').forEach((box, i) => box.setAttribute('fill-opacity', (.6 * boxes[i]).toFixed(3)));
  section.querySelectorAll('.name').forEach((name, i) => name.classList.toggle('most', i === boxes.indexOf(1)));
  section.querySelectorAll('.chip input').forEach(input =>
    input.nextElementSibling.dataset.level = Math.round(9 * shades[input.value]));
  section.querySelectorAll('tr[data-word]').forEach(row => row.classList.toggle('chosen', row.dataset.word == word));
  const told = [...(regions.length ? [['regions', sum(regions.slice(1))], ['the whole image', regions[0]]] : []),
    ['words', sum(words)]].map(([name, share]) => name + ': ' + Math.round(100 * share) + ' %').join(', ');
  const name = section.querySelector('.chip input[value="' + word + '"]').nextElementSibling.textContent;
  section.querySelector('.sum').textContent = name + ' looks at ' + told;
}
document.addEventListener('change', event => {
  if (event.target.type === 'radio') show(event.target.closest('section'), event.target.value); });
document.querySelectorAll('section').forEach(section =>
  show(section, section.querySelector('.chip input:checked').value));
"""
