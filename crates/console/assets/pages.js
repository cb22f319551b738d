// Puts a button for copying beside each command, and looks again where something changes.
// Without this file a click selects the command, and a link looks again.
"use strict";
const looks = Number(sessionStorage.getItem("looks") || 0);
const waiting = document.querySelector("[data-again]");
sessionStorage.setItem("looks", waiting ? looks + 1 : 0);
if (waiting && looks < 60) setTimeout(() => location.replace(location.href.split("#")[0]), 1000);
// A list of actions is long: a field above it shows those that have a text in their names.
for (const group of document.querySelectorAll("[data-actions]")) {
  const search = document.createElement("input");
  search.type = "search";
  search.className = "checks-search";
  search.placeholder = "Part of a name";
  search.setAttribute("aria-label", "Search " + group.querySelector("summary").textContent.trim());
  search.addEventListener("input", () => {
    const wanted = search.value.trim().toLowerCase();
    for (const item of group.querySelectorAll("li")) item.hidden = !item.textContent.toLowerCase().includes(wanted);
  });
  search.addEventListener("keydown", (event) => { if (event.key === "Enter") event.preventDefault(); });
  group.querySelector("ul").before(search);
}
// On a narrow screen the menu moves sideways; what is shown is in sight.
const current = document.querySelector(".menu [aria-current]");
if (current) current.scrollIntoView({ block: "nearest", inline: "center" });
// The menu of who somebody is closes as menus do.
const people = document.querySelector(".people");
if (people) {
  document.addEventListener("click", (event) => { if (!people.contains(event.target)) people.open = false; });
  people.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !people.open) return;
    people.open = false;
    people.querySelector("summary").focus();
  });
}
// A button for copying beside each command.
const dress = (root) => {
  if (!navigator.clipboard) return;
  for (const command of root.querySelectorAll("[data-copy]")) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "copy";
    button.textContent = "Copy";
    button.setAttribute("aria-label", "Copy: " + command.dataset.copy);
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(command.textContent.trim());
      button.textContent = "Copied";
      setTimeout(() => { button.textContent = "Copy"; }, 2000);
    });
    command.parentElement.append(button);
  }
};
// What changes while somebody reads it is looked at again, for ten minutes. Whoever is busy in it is
// not disturbed, and nobody is kept signed in by it.
const live = [...document.querySelectorAll("[data-live]")].map((part) => ({ part, text: part.innerHTML }));
const told = document.createElement("p");
told.className = "hidden";
told.setAttribute("role", "status");
let again = live.length > 0 ? 200 : 0;
const isBusy = (part) => {
  const chosen = getSelection();
  if (!chosen.isCollapsed && part.contains(chosen.anchorNode)) return true;
  return part.contains(document.activeElement) && !document.activeElement.matches(".scroll");
};
const look = async () => {
  if (again-- <= 0) return;
  if (!document.hidden) {
    const answer = await fetch(location.href.split("#")[0], { headers: { "x-tonnage-looks-again": "1" }, redirect: "manual" }).catch(() => null);
    if (answer && answer.type === "opaqueredirect") return;
    if (answer && answer.ok) {
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      for (const one of live) {
        const found = page.getElementById(one.part.id);
        if (!found || found.innerHTML === one.text || isBusy(one.part)) continue;
        one.text = found.innerHTML;
        const left = one.part.querySelector(".scroll")?.scrollLeft ?? 0;
        one.part.replaceChildren(...found.childNodes);
        one.part.querySelector(".scroll")?.scrollTo({ left });
        dress(one.part);
        told.textContent = "This page shows something new.";
      }
    }
  }
  setTimeout(look, 3000);
};
if (live.length > 0) {
  document.body.append(told);
  setTimeout(look, 3000);
}
dress(document);
