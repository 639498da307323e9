// What the pages do with JavaScript beyond what they do without it.
"use strict";

const part = (name, className, text) =>
  Object.assign(document.createElement(name), { className, textContent: text });

// Each time is shown in the reader's zone, with UTC beside it.
(() => {
  const format = new Intl.DateTimeFormat(document.documentElement.lang, {
    year: "numeric", month: "short", day: "numeric",
    hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZoneName: "short",
  });
  const times = [...document.querySelectorAll("time[datetime]")]
    .map((element) => [element, new Date(element.dateTime)]);
  const fields = document.querySelectorAll("input[type=datetime-local]");
  // Where no time differs from UTC, a second one would only be in the way.
  const moments = [new Date(), ...times.map(([, moment]) => moment)];
  if (!moments.some((moment) => moment.getTimezoneOffset() !== 0)) return;

  for (const [element, moment] of times) {
    const utc = part("small", "utc", `(${element.textContent})`);
    // It is the same moment: a screen reader reads it once.
    utc.ariaHidden = "true";
    element.classList.add("local");
    element.replaceChildren(part("span", "", format.format(moment)), " ", utc);
  }

  // People write times as UTC, and see what these are in their zone.
  for (const field of fields) {
    const local = part("small", "hint", "");
    local.id = `${field.id}-local`;
    field.setAttribute("aria-describedby", `${field.getAttribute("aria-describedby") ?? ""} ${local.id}`.trim());
    field.after(local);
    const show = () => {
      const moment = new Date(`${field.value}Z`);
      local.textContent = moment.getTime() ? `= ${format.format(moment)}` : "";
    };
    field.addEventListener("input", show);
    show();
  }

  const note = document.querySelector("[data-local]");
  if (note) {
    note.textContent = note.dataset.local.replace("{zone}", format.resolvedOptions().timeZone);
  }
})();

// What a person would type elsewhere gets a button that copies it.
(() => {
  if (!navigator.clipboard) return;
  for (const code of document.querySelectorAll("[data-copy]")) {
    const button = part("button", "", code.dataset.copy);
    button.ariaLive = "polite";
    button.addEventListener("click", () => navigator.clipboard.writeText(code.textContent).then(
      () => { button.textContent = code.dataset.copied; },
      () => getSelection().selectAllChildren(code),
    ));
    code.after(button);
  }
})();
