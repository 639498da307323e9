// Shows each time in the reader's zone, with UTC beside it. Without this script it is UTC alone.
"use strict";

(() => {
  const language = document.documentElement.lang;
  const day = { year: "numeric", month: "short", day: "numeric" };
  const minute = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
  const local = new Intl.DateTimeFormat(language, { ...day, ...minute, timeZoneName: "short" });

  for (const element of document.querySelectorAll("time[datetime]")) {
    const moment = new Date(element.dateTime);
    if (Number.isNaN(moment.getTime()) || moment.getTimezoneOffset() === 0) continue;
    const utc = document.createElement("small");
    utc.className = "utc";
    utc.textContent = ` (${element.textContent})`;
    element.textContent = local.format(moment);
    element.append(utc);
  }
})();
