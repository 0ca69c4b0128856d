/**
 * The card page's look. Colours meet WCAG 2.2 AA on their backgrounds (4.5:1); nothing that can be
 * pressed is lower than 44 px.
 */
export const STYLE = `
:root {
  color-scheme: light dark;
  --ink: light-dark(#1b2433, #e8ecf4); --soft: light-dark(#56617a, #a9b4c9);
  --line: light-dark(#c6ccd8, #46526b); --edge: light-dark(#78839b, #8b97b0);
  --rule: light-dark(#e0e4ec, #36415a); --paper: light-dark(#fff, #1c2330);
  --ground: light-dark(#f2f4f8, #10151e); --accent: #0b5d4b; --accent-dark: #084839;
  --chosen: light-dark(#eef6f3, #14322b); --wrong: light-dark(#b3261e, #ff9a92);
  --wrong-ground: light-dark(#fdf0ef, #3a1715); --wrong-line: light-dark(#e6b3af, #7c3a35);
  --note: light-dark(#fff3cd, #3b2f08); --note-ink: light-dark(#4a3800, #ffe69a);
  --note-line: light-dark(#e6cf85, #6b5714); --focus: light-dark(#1a66d6, #8fc1ff);
}
* { box-sizing: border-box }
body {
  margin: 0; background: var(--ground); color: var(--ink); accent-color: var(--accent);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
}
.banner {
  margin: 0; padding: 10px 16px; background: var(--note); color: var(--note-ink);
  text-align: center; font-size: 15px; border-bottom: 1px solid var(--note-line);
}
main { max-width: 900px; margin: 0 auto; padding: 16px }
h1 { font-size: 22px; line-height: 1.25; margin: 0 }
h2 { font-size: 17px; margin: 0 }
.columns { display: grid; gap: 16px; grid-template-columns: minmax(0, 1fr) }
.panel {
  background: var(--paper); border: 1px solid var(--rule); border-radius: 12px; padding: 20px;
  box-shadow: 0 1px 3px rgb(27 36 51 / 8%);
}
.summary { padding: 4px 4px 0 }
.merchant { margin: 0; font-size: 18px; font-weight: 600; overflow-wrap: anywhere }
.brands { margin: 2px 0 16px; color: var(--soft); font-size: 15px }
.amount { margin: 4px 0 8px }
.amount span { display: block; color: var(--soft); font-size: 15px }
.amount strong { font-size: 34px; line-height: 1.2; font-variant-numeric: tabular-nums }
.description { margin: 0 0 12px; overflow-wrap: anywhere }
dl { margin: 0; display: flex; gap: 8px; font-size: 15px }
dt { color: var(--soft) }
dd { margin: 0; overflow-wrap: anywhere }
form { display: grid; gap: 16px }
.row { display: grid; gap: 16px; grid-template-columns: 1fr 1fr; align-items: end }
.field { display: grid; gap: 4px }
label, legend { font-weight: 600 }
.hint { margin: 0; color: var(--soft); font-size: 14px; line-height: 1.35 }
.error { margin: 0; color: var(--wrong); font-weight: 600; font-size: 15px; line-height: 1.35 }
input[type=text], input[type=password] {
  width: 100%; min-height: 48px; padding: 10px 12px; font: inherit; font-size: 17px;
  color: inherit; background: var(--paper); border: 1px solid var(--edge); border-radius: 8px;
  font-variant-numeric: tabular-nums;
}
.wrong input { border: 2px solid var(--wrong); background: var(--wrong-ground) }
fieldset { border: 0; margin: 0; padding: 0; display: grid; gap: 8px }
legend { padding: 0; margin-bottom: 8px }
.choice {
  display: flex; gap: 12px; align-items: center; min-height: 48px; padding: 10px 12px;
  border: 1px solid var(--line); border-radius: 8px; font-weight: 400; cursor: pointer;
}
.choice:has(:checked) { border-color: var(--accent); background: var(--chosen) }
.choice input { width: 20px; height: 20px; margin: 0; flex: none }
.choice small { display: block; color: var(--soft); font-size: 14px }
.new-card { display: grid; gap: 16px }
form:has([name=card]:checked:not(#card-new)) .new-card { display: none }
.button {
  display: inline-flex; gap: 10px; align-items: center; justify-content: center; min-height: 52px;
  padding: 12px 24px; border: 0; border-radius: 8px; background: var(--accent); color: #fff;
  font: inherit; font-weight: 600; font-size: 17px; text-decoration: none; cursor: pointer;
}
form .button { width: 100% }
.button:hover { background: var(--accent-dark) }
.wallet { background: light-dark(#000, #fff); color: light-dark(#fff, #000) }
.wallet:hover { background: light-dark(#333, #ddd) }
.or { margin: 16px 0; color: var(--soft); text-align: center }
:focus-visible { outline: 3px solid var(--focus); outline-offset: 2px }
.plain { background: none; color: var(--soft); text-decoration: underline; font-weight: 400 }
.plain:hover { background: none; color: var(--ink) }
.cancel { margin: 12px 0 -8px; text-align: center }
.cancel a { display: inline-block; padding: 10px; color: var(--soft) }
.alert {
  margin: 0 0 16px; padding: 14px 16px; border-radius: 8px; background: var(--wrong-ground);
  border: 1px solid var(--wrong-line); border-left: 5px solid var(--wrong);
}
.alert:focus { outline: 0 }
.alert h2 { color: var(--wrong) }
.alert p, .alert ul { margin: 4px 0 0 }
.alert ul { padding-left: 20px }
.alert a { color: var(--wrong); font-weight: 600 }
details.panel { padding: 0 20px; font-size: 15px }
details.panel[open] { padding-bottom: 12px }
details.panel summary { padding: 14px 0; font-weight: 600; cursor: pointer }
table { border-collapse: collapse; width: 100% }
th, td { text-align: left; padding: 6px 8px 6px 0; border-bottom: 1px solid var(--rule) }
td code { white-space: nowrap; font-size: 13px }
code { font: 14px/1.5 ui-monospace, "SF Mono", Menlo, Consolas, monospace }
.names code { display: inline-block; margin-right: 8px }
.notice { max-width: 560px; margin: 24px auto }
.notice p { margin: 8px 0 20px }
.notice p:last-child { margin-bottom: 0 }
.notice .hint { margin: 0 0 4px }
.home { display: grid; gap: 16px; grid-template-columns: minmax(0, 1fr) }
.home > p, .home .panel > :is(p, pre) { margin: 8px 0 0 }
pre {
  padding: 10px 12px; background: var(--ground); border: 1px solid var(--rule); border-radius: 8px;
  font: 14px/1.5 ui-monospace, "SF Mono", Menlo, Consolas, monospace; white-space: pre-wrap;
  overflow-wrap: anywhere;
}
@media (min-width: 760px) {
  main { padding: 40px 24px }
  .columns {
    grid-template: "summary form" auto "details form" 1fr / minmax(0, 1fr) 460px;
    gap: 24px 40px; align-items: start;
  }
  .summary { grid-area: summary; padding-top: 28px }
  section.panel { grid-area: form; padding: 28px }
  details.panel { grid-area: details }
  .amount strong { font-size: 44px }
}
@media (max-width: 399px) {
  .home td code { white-space: normal }
}
@media (max-width: 359px) {
  td code { white-space: normal }
}
@media (forced-colors: active) {
  .button { border: 2px solid }
}
`
