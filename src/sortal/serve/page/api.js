// Requests to the service. The token stays in this tab; a refusal is thrown as what the service said of it.

const KEY = "sortal-token";

export class Refusal extends Error {
  constructor(status, title, detail = "", errors = []) {
    super(detail ? `${title}: ${detail}` : title);
    Object.assign(this, { status, title, detail, errors });
  }
}

export const keepToken = (token) => sessionStorage.setItem(KEY, token);
export const forgetToken = () => sessionStorage.removeItem(KEY);
export const hasToken = () => sessionStorage.getItem(KEY) !== null;

/** What the service answers: its JSON, the seconds of its stages, and of the whole way there and back. */
export async function ask(path, body) {
  const token = sessionStorage.getItem(KEY);
  const headers = {
    ...(token === null ? {} : { authorization: `Bearer ${token}` }),
    ...(body === undefined ? {} : { "content-type": "application/json" }),
  };
  const start = performance.now();
  let response;
  let text;
  try {
    response = await fetch(path, { method: body === undefined ? "GET" : "POST", headers, body: body && JSON.stringify(body), cache: "no-store" });
    text = await response.text();
  } catch {
    throw new Refusal(0, "The service does not answer", "is it still running?");
  }
  const seconds = (performance.now() - start) / 1000;
  const content = parsed(text);
  if (!response.ok) {
    throw new Refusal(response.status, content?.title ?? `The service answered ${response.status}`, content?.detail ?? "", content?.errors ?? []);
  }
  return { content, seconds, stages: stages(response.headers.get("server-timing") ?? "") };
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** `decode;dur=0.02, score;dur=1.1` as pairs of a name and seconds. */
export function stages(header) {
  return header.split(",").map((part) => {
    const [name, ...rest] = part.trim().split(";");
    const lasted = rest.map((each) => each.trim()).find((each) => each.startsWith("dur="));
    return [name, lasted === undefined ? undefined : Number(lasted.slice(4)) / 1000];
  }).filter(([name, lasted]) => name && Number.isFinite(lasted));
}
