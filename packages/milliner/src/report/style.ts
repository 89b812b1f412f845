import { heatStyle } from "./accuracy-matrix.ts";

const lightColours = `--paper:#fff;--ink:#1b1e23;--soft:#5a626d;--rule:#e2e5e9;--wash:#f5f6f8;--good:#17703c;--bad:#b3261e;
--s0:#1660a8;--s1:#555d68;--s2:#757e8a;--s3:#555d68;--s4:#757e8a;--s5:#555d68;--used:#c3d7ea;--locked:#2b3038;--row:#f0f2f5;--shared:#8fb6db`;
const darkColours = `--paper:#15181c;--ink:#e7eaee;--soft:#9ba5b1;--rule:#2d333b;--wash:#1d2126;--good:#6fcf97;--bad:#ff8a80;
--s0:#6db3f2;--s1:#b3bcc7;--s2:#8b95a1;--s3:#b3bcc7;--s4:#8b95a1;--s5:#b3bcc7;--used:#2f4a66;--locked:#e7eaee;--row:#20252b;--shared:#35618b`;

// One accent colour, for the method: the controls are greys, told apart by dash, mark and name.
const learners = ["none", "6 4", "2 3", "10 3 2 3", "1 4", "12 4"]
  .map((dash, i) => `.s${i}{--c:var(--s${i})}.s${i} .line{stroke-dasharray:${dash}}`)
  .join("");

/** The style sheet of a report, for screen and paper, light and dark. */
export const style: string = `
:root{color-scheme:light dark;${lightColours}}
@media (prefers-color-scheme:dark){:root{${darkColours}}}
@media print{:root{color-scheme:light;${lightColours}}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;-webkit-text-size-adjust:100%}
main,footer{max-width:936px;margin:0 auto;padding:0 28px}
h1,h2,.verdict{text-wrap:pretty}
header{padding:52px 0 22px}
.kind{margin:0;color:var(--soft);font-size:13px}
h1{margin:2px 0 4px;font-size:38px;line-height:1.15;letter-spacing:-.022em;font-weight:680;overflow-wrap:anywhere}
h2{margin:0 0 12px;font-size:20px;line-height:1.3;letter-spacing:-.01em;font-weight:650}
h3{margin:0 0 8px;font-size:15px;font-weight:600;overflow-wrap:anywhere}
small{font-weight:400;color:var(--soft);font-size:13px}
.what{margin:0 0 22px;color:var(--soft);font-size:16px;overflow-wrap:anywhere}
.what span+span::before{content:" · "}
.verdict{margin:0 0 10px;font-size:19px;line-height:1.45;max-width:44em;overflow-wrap:anywhere}
.bits{margin:0;font-size:16px}
.good{color:var(--good)}.bad{color:var(--bad);font-weight:600}
.interrupted{display:inline-block;padding:0 9px;margin-right:4px;border-radius:4px;background:var(--bad);color:var(--paper);font-size:14px;font-weight:600}
main>section{padding:34px 0 0;margin-top:34px;border-top:1px solid var(--rule)}
.figures{display:grid;grid-template-columns:repeat(auto-fit,minmax(132px,1fr));gap:20px 24px;margin:10px 0 0}
.figures dt{color:var(--soft);font-size:13px}
.figures dd{margin:0}
.figures b{display:block;font-size:25px;line-height:1.3;letter-spacing:-.02em;font-weight:620;font-variant-numeric:tabular-nums;white-space:nowrap}
.figures dd span{display:block;color:var(--soft);font-size:12.5px;line-height:1.35;overflow-wrap:anywhere}
.note,.none{color:var(--soft);font-size:13.5px;line-height:1.45}
.note,.none{margin:8px 0;max-width:54em;text-wrap:pretty}
.scroll{position:relative;overflow-x:auto;max-width:100%}
table{border-collapse:collapse;font-variant-numeric:tabular-nums}
th{font-weight:500;text-align:left}
.blocks{display:flex;align-items:flex-start}.blocks table{flex:none}
@media screen{.again{padding:0!important;min-width:0!important}.again span{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}}
.no{color:var(--soft);font-size:12px;font-variant-numeric:tabular-nums;margin-right:3px}
.matrix{border-collapse:separate;border-spacing:3px}
.matrix th{font-size:13.5px;padding:3px 8px 3px 0;white-space:nowrap}
.matrix thead th{text-align:center;padding:0 4px 5px;max-width:96px;white-space:normal;vertical-align:bottom;line-height:1.25;overflow-wrap:anywhere}
.matrix thead .no{display:block;margin:0}
.matrix tbody td{min-width:76px;padding:8px 6px;text-align:center;border-radius:4px;font-size:14.5px}
.matrix.many tbody td{min-width:44px;padding:5px 3px;font-size:13px}.matrix.many .name{display:none}
.matrix.crowd{border-spacing:1px}.matrix.crowd tbody td{min-width:25px;padding:3px 0;font-size:11.5px;border-radius:2px}.matrix.crowd thead th{padding:0 0 3px}.matrix.crowd tbody th{padding:0 6px 0 0;font-size:12px}.matrix.crowd .own{box-shadow:inset 0 0 0 1.5px var(--ink)}
.matrix .blank::before{content:"\\a0"}
.matrix .own{box-shadow:0 0 0 2px var(--ink);font-weight:650}
.matrix .early{color:var(--soft);background:var(--wash)}
.matrix .ends::before{content:"";display:block;height:9px}
.matrix .ends th{color:var(--soft);padding-right:14px}
${heatStyle("light")}
@media (prefers-color-scheme:dark){@media screen{${heatStyle("dark")}}}
.ramp{display:flex;align-items:center;margin:10px 0 0;color:var(--soft);font-size:12.5px;gap:2px}
.ramp i{width:22px;height:10px}.ramp span:first-child{margin-right:6px}.ramp span:last-child{margin-left:6px}
.plain{width:100%;font-size:14.5px}
.plain th+th,.plain th+td,.plain td+td{padding-left:16px}
.plain th,.plain td{padding:7px 0;border-bottom:1px solid var(--rule);text-align:right;vertical-align:baseline}
.plain td{white-space:nowrap}
.plain th:first-child,.plain .text{text-align:left}
.plain th:first-child{min-width:130px;overflow-wrap:break-word}
.plain thead th,.plain thead td{color:var(--soft);font-size:13px;line-height:1.3;vertical-align:bottom}
.plain .first{font-weight:650}.plain .first th{font-weight:650}
.plain td.none{white-space:normal;text-align:left;font-weight:400}
.meter+span{display:inline-block;min-width:3.2em}
.plain .own{box-shadow:inset 0 0 0 1px var(--soft)}
.overlap{width:auto}.overlap th{white-space:nowrap}.plain.overlap td,.plain.overlap th{padding:5px 9px}.plain.overlap th:first-child{padding-left:0}
.key{display:inline-block;width:11px;height:11px;margin-right:8px;border-radius:2px;background:var(--c)}
svg{display:block;width:100%;height:auto;overflow:visible}
svg text{font:12px system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;fill:var(--soft);font-variant-numeric:tabular-nums}
svg .axis{font-size:13px}
.curve{max-width:800px}.curve.narrow{display:none}
.grid{stroke:var(--rule);stroke-width:1}
${learners}
.line{fill:none;stroke:var(--c,var(--s0));stroke-width:1.75;stroke-linejoin:round;stroke-linecap:butt}
.s0 .line{stroke-width:2.75}
.mark{fill:var(--c);stroke:var(--paper);stroke-width:1.5}
.lead{stroke:var(--c);stroke-width:1;opacity:.6;stroke-dasharray:1 3;fill:none}
svg .label{font-size:13.5px;fill:var(--ink)}svg .label.first{font-weight:650}svg .value{fill:var(--soft);font-weight:400}
.legend{display:flex;flex-wrap:wrap;gap:4px 22px;margin:0 0 14px;font-size:13.5px;color:var(--soft)}
.legend i{display:inline-block;width:14px;height:11px;margin-right:7px;border-radius:2px}
.fill-active,.fill-new{background:var(--s0)}.fill-used{background:var(--used)}.fill-shared{background:var(--shared)}
.legend .line-locked,.legend .line-validation,.legend .line-train{height:0;width:20px;border-radius:0;vertical-align:middle;border-top:2.5px solid var(--locked)}
.legend .line-validation{border-color:var(--s0)}.legend .line-train{border-top:2px dashed var(--s4)}
.multiples{display:grid;grid-template-columns:repeat(auto-fill,minmax(250px,1fr));gap:20px 26px}
.small figcaption{display:flex;gap:4px;align-items:baseline}.small figcaption b{flex:1;min-width:0;overflow:hidden;text-overflow:ellipsis;white-space:nowrap;margin:0}.small figcaption .no{margin:0}
.multiples.small{grid-template-columns:repeat(auto-fill,minmax(158px,1fr));gap:18px 20px}
figure{margin:0;max-width:330px;break-inside:avoid}
figcaption{font-size:13.5px;color:var(--soft);margin-bottom:2px;overflow-wrap:anywhere}
figcaption b{color:var(--ink);font-weight:600;margin-right:5px}
.active{fill:var(--s0)}.used{fill:var(--used)}
.locked{fill:none;stroke:var(--locked);stroke-width:2}.locked-dot{fill:var(--locked);stroke:var(--paper);stroke-width:1}
.validation{--c:var(--s0)}.train{--c:var(--s4);stroke-dasharray:4 3;stroke-width:1.5}
svg .band{font-size:11px}
.space+.space{margin-top:26px}
.mask{display:flex;gap:12px;align-items:flex-start}
.mask th,.mask td{height:14px;padding:0 10px 0 0;font-size:11.5px;line-height:14px;white-space:nowrap}
.mask td{color:var(--soft);text-align:right;padding-right:0}
.mask svg{flex:1;min-width:0;overflow:hidden}
.mask .row{fill:var(--row)}
.mask path{fill:none;stroke-width:.82}
.new{stroke:var(--s0)}.shared{stroke:var(--shared)}
details{margin-top:12px}
summary{cursor:pointer;color:var(--s0);font-size:14px;width:fit-content}
details[open]>summary{margin-bottom:8px}
code,pre{font:13px/1.55 ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace}
pre{margin:0;padding:16px 18px;background:var(--wash);border-radius:6px;overflow-x:auto;tab-size:2}
.meter{display:inline-block;width:46px;height:7px;margin-right:5px;background:var(--row);border-radius:2px;overflow:hidden}
.meter i{display:block;height:100%;background:var(--s0)}
.warnings{margin:0;padding-left:20px;overflow-wrap:anywhere}
footer{margin-top:48px;padding-bottom:36px;color:var(--soft);font-size:13px;overflow-wrap:anywhere}
.hidden{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
a:focus-visible,summary:focus-visible,[tabindex]:focus-visible{outline:2px solid var(--s0);outline-offset:2px}
@media (max-width:560px){main,footer{padding:0 16px}header{padding-top:28px}h1{font-size:29px}.verdict{font-size:17px}.figures{grid-template-columns:1fr 1fr}.matrix{border-spacing:2px}.matrix tbody td{min-width:42px;padding:7px 1px;font-size:13.5px}.matrix thead .name{display:none}.matrix th{max-width:112px;overflow:hidden;text-overflow:ellipsis}.curve.wide{display:none}.curve.narrow{display:block}.mask th{max-width:90px;overflow:hidden;text-overflow:ellipsis}}
@media print{body{font-size:11pt}main,footer{max-width:none;padding:0}header{padding-top:0}main>section{margin-top:20px;padding-top:18px}h2{break-after:avoid}tr,svg,.space{break-inside:avoid}.scroll{overflow:visible}pre{white-space:pre-wrap;overflow-wrap:anywhere}
th,td{line-height:1.3}.plain th,.plain td{padding-top:3px;padding-bottom:3px}
.blocks{display:block}.blocks table+table{margin-top:14px}.bare{display:none}
.blocks tbody th{max-width:130px;overflow:hidden;text-overflow:ellipsis}.blocks .overlap th:first-child{min-width:0}
.matrix tbody td{min-width:40px;padding:6px 2px}.matrix.many{border-spacing:1px}.matrix.many tbody td{min-width:24px;padding:4px 1px}
.matrix.crowd tbody td{min-width:20px;padding:2px 0;font-size:10px}.plain.overlap td,.plain.overlap th{padding:3px 2px;font-size:10px}
*{-webkit-print-color-adjust:exact;print-color-adjust:exact}}
`;
