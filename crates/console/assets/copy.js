// Puts a button for copying beside each command, and looks again where something is being made.
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
for (const command of document.querySelectorAll("[data-copy]")) {
  if (!navigator.clipboard) break;
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
