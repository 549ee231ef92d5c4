// The page: asks for the model, and shows it; asks for a token where one is needed.

import { Answer } from "./answer.js";
import { ask, forgetToken, hasToken, keepToken } from "./api.js";
import { append, busy, byId, fill, h, isBusy, named, plain } from "./dom.js";
import { Form } from "./form.js";
import { Live } from "./live.js";
import { described, question, shown } from "./model.js";

const PARTS = ["try", "live", "model"];

async function start() {
  let model;
  try {
    model = described((await ask("v1/model")).content);
  } catch (refusal) {
    if (refusal.status === 401) askForToken();
    else fail(refusal);
    return;
  }
  byId("wait").hidden = true;
  document.querySelector("nav").hidden = false;
  for (const part of PARTS) byId(part).hidden = false;
  head(model);
  attempt(model);
  const live = new Live(byId("live"), byId("pulse"), model, askForToken);
  byId("live").addEventListener("look", () => live.look());
  append(byId("model"), shown(model));
  fill(byId("footer"), `Served by sortal ${plain(model.version)}. Rows that are tried here are answered, counted and logged like all others.`);
}

function head(model) {
  document.title = `${plain(model.target)} · ${plain(model.name)} · sortal`;
  fill(byId("served"), named(model.name, 60));
  fill(byId("headline"), h("bdi", { class: "data" }, plain(model.target)));
  fill(byId("lede"), question(model));
}

/** The form and what comes of it. */
function attempt(model) {
  const answer = new Answer(model);
  const form = new Form(model.columns, async () => {
    if (isBusy(form.submit)) return;
    form.show([]);
    busy(form.submit, true);
    answer.wait();
    const row = form.row();
    try {
      const said = await ask("v1/predict", { row });
      answer.show(said, row);
      setTimeout(() => byId("live").dispatchEvent(new Event("look")), 1500);
    } catch (refusal) {
      answer.empty();
      if (refusal.status === 401) askForToken();
      else form.show(refusal.errors, refusal.errors.length > 0 ? "" : refusal.message);
    } finally {
      busy(form.submit, false);
    }
  });
  byId("try").append(h("div", { class: "trial" }, form.element, answer.element));
}

function hide(id) {
  byId(id).hidden = true;
}

function askForToken() {
  const wrong = hasToken();
  forgetToken();
  ["wait", ...PARTS].forEach(hide);
  document.querySelector("nav").hidden = true;
  byId("token").hidden = false;
  fill(byId("token-error"), wrong ? "That is not the token of this service." : null);
  byId("token-field").focus();
}

byId("token-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const token = byId("token-field").value.trim();
  byId("token-field").value = "";
  if (token === "") fill(byId("token-error"), "The token is empty.");
  else {
    keepToken(token);
    location.reload();
  }
});

function fail(refusal) {
  fill(byId("wait"), h("p", { class: "notice bad", role: "alert" }, plain(refusal.message)),
    h("button", { type: "button", onclick: () => { fill(byId("wait"), h("p", { class: "muted" }, "Asking the service for its model …")); start(); } }, "Try again"));
}

start();
