"""The page's style sheet: a column on a telephone, two on a desk, light or dark as the reader's machine is, and paper."""

from typing import Final

from benchmarks.report.charts import BLUE, FAINT, GREEN, GREY, INK, ORANGE

_DARK: Final = {
    INK: "#e6edf3",
    FAINT: "#3d444d",
    BLUE: "#56b4e9",
    ORANGE: "#f0883e",
    GREEN: "#2ec49a",
    GREY: "#9aa4af",
}
"""Counterparts on a dark page, each with a contrast of 3 or more to it (letters: 7)."""


def _recoloured() -> str:
    """Pictures carry their colours as attributes, which rules of a style sheet outrank."""
    rules = [
        f'svg [{kind}="{light}"]{{{kind}:{dark}}}'
        for light, dark in _DARK.items()
        for kind in ("fill", "stroke")
    ]
    return "".join(rules)


_PLAIN: Final = """
:root{color-scheme:light dark;--page:#fff;--ink:#1b1f24;--soft:#57606a;--line:#d0d7de;--tint:#f6f8fa;
  --link:#0a58a8;
--warn:#fff4e5;--warn-line:#d9822b;--note:#eef4fb;--note-line:#0072b2}
*{box-sizing:border-box}
html{scroll-behavior:smooth;-webkit-text-size-adjust:100%}
body{margin:0;background:var(--page);color:var(--ink);
  font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif}
.skip{position:absolute;left:-999px}
.skip:focus{left:1rem;top:1rem;background:var(--page);padding:.5rem;z-index:2}
.frame{max-width:78rem;margin:0 auto;padding:0 1.25rem}
header{padding:2.2rem 0 1.2rem;border-bottom:1px solid var(--line);overflow-wrap:anywhere}
h1{font-size:1.9rem;line-height:1.2;margin:0 0 .4rem;letter-spacing:-.01em}
h2{font-size:1.35rem;line-height:1.25;margin:0 0 .8rem}
h3{font-size:1.02rem;margin:0 0 .3rem}
header p{margin:0;color:var(--soft)}
.columns{display:grid;grid-template-columns:minmax(0,1fr);gap:0 3rem}
nav{font-size:.92rem;padding:1rem 0 0}
nav ol{list-style:none;margin:0;padding:0;display:flex;flex-wrap:wrap;gap:.15rem .9rem}
a{color:var(--link);text-underline-offset:.15em}
nav a{text-decoration:none}
nav a:hover,nav a:focus-visible{text-decoration:underline}
:focus-visible{outline:2px solid var(--link);outline-offset:2px}
main{min-width:0}
section{padding:1.9rem 0 .6rem;border-bottom:1px solid var(--line);scroll-margin-top:.5rem}
section:last-child{border:0}
p,li{max-width:46rem;overflow-wrap:anywhere}
p{margin:0 0 .9rem}
ul{margin:0 0 1rem;padding-left:1.2rem}
li{margin:.25rem 0}
.notice{max-width:46rem;margin:0 0 1rem;padding:.6rem .9rem;border-left:4px solid var(--note-line);
  background:var(--note);border-radius:0 4px 4px 0;overflow-wrap:anywhere}
.notice.warning{border-color:var(--warn-line);background:var(--warn)}
.scroll{overflow-x:auto;margin:0 0 1.2rem;border:1px solid var(--line);border-radius:6px}
table{border-collapse:collapse;width:100%;font-size:.875rem;font-variant-numeric:tabular-nums}
caption>span{display:block;position:sticky;left:.8rem;width:fit-content;
  max-width:min(46rem,calc(100vw - 4.4rem))}
caption{text-align:left;padding:.6rem .8rem;color:var(--soft);font-size:.875rem;caption-side:top}
th,td{padding:.38rem .8rem;text-align:left;vertical-align:top;border-top:1px solid var(--line)}
thead th{background:var(--tint);font-weight:600;white-space:nowrap;vertical-align:bottom}
tbody th{font-weight:400;min-width:9rem}
td{max-width:30rem;min-width:6.2rem;overflow-wrap:break-word}
.n{min-width:0;text-align:right;white-space:nowrap}
thead .n{white-space:normal}
tr.leading>*{font-weight:650}
tbody tr:hover>*{background:var(--tint)}
.after{color:var(--soft);font-size:.85rem;margin:-.7rem 0 1.2rem}
figure{margin:0 0 1.6rem}
figcaption{color:var(--soft);font-size:.9rem;max-width:46rem;margin:.5rem 0 .7rem}
.panels{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,16.5rem),1fr));gap:1rem .8rem;
  align-items:start}
.single svg,.panels svg{display:block;max-width:100%;height:auto}.panels svg{width:100%}
.panel{font-weight:600;font-size:.875rem;line-height:1.3;margin:0 0 .2rem}
.narrow{display:none}
summary{cursor:pointer;color:var(--link);font-size:.9rem;margin:0 0 .6rem}
pre{margin:0 0 1rem;padding:.75rem .9rem;background:var(--tint);border:1px solid var(--line);border-radius:6px;
  overflow-x:auto;font:.85rem/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;white-space:pre-wrap;
  overflow-wrap:anywhere}
footer{padding:1.2rem 0 3rem;color:var(--soft);font-size:.875rem}
svg text{font-family:system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif}
@media (min-width:68rem) {
  .columns{grid-template-columns:12.5rem minmax(0,1fr)}
  nav{position:sticky;top:0;align-self:start;padding-top:2rem}
  nav ol{display:block}
  nav li{margin:.35rem 0}
}
@media (max-width:42rem) {
  body{font-size:15.5px}
  h1{font-size:1.5rem}
  .wide{display:none!important}
  .narrow{display:block!important}
  section{padding-top:1.4rem}
  th,td{padding:.34rem .55rem}
  tbody th{position:sticky;left:0;background:var(--page);min-width:7.5rem;max-width:9.5rem;
  overflow-wrap:break-word;border-right:1px solid var(--line)}
}
@media print {
  body{font-size:10pt}
  nav,.skip,summary{display:none}
  .columns{display:block}
  .scroll{overflow:visible;border:0}
  table{font-size:8pt}
  td,.n,thead th{white-space:normal}
  section{border:0;padding:.8rem 0 0}
  figure,tr,.notice{break-inside:avoid}
  h2,h3,caption{break-after:avoid}
  a{color:inherit;text-decoration:none}
  .panels{grid-template-columns:repeat(3,1fr)}
}
"""

_NIGHT: Final = """:root{--page:#0d1117;--ink:#e6edf3;--soft:#9aa4af;--line:#30363d;--tint:#161b22;--link:#79b8ff;
--warn:#2d1f0e;--warn-line:#d9822b;--note:#101d2c;--note-line:#56b4e9}"""

STYLE: Final = f"{_PLAIN}@media screen and (prefers-color-scheme:dark){{{_NIGHT}{_recoloured()}}}"
