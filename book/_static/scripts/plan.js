// The capacity calculator: the formulas of `labs/labkit/plan.py`, line for line, and the form on the page.
// A test holds both together. No server is asked: the measured constants stand in the page.
(() => {
  "use strict";

  const GAP = 2;
  const DAY = 86400;
  const HEADROOM = 0.999;
  const HIGHEST = 1e6;

  const sum = (values) => values.reduce((total, value) => total + value, 0);

  class Constants {
    constructor(table) {
      this.table = table;
    }
    idle(kind, ...parts) {
      const rates = this.table.idle;
      return sum((parts.length ? parts : Object.keys(rates)).map((part) => rates[part]?.[kind] ?? 0));
    }
    parsing(kind, asked) {
      return asked.watchers * this.table.asset[kind] + asked.watchers * asked.dags * this.table.dag[kind];
    }
    cost(kind, cause, ...parts) {
      const costs = this.table.costs;
      return sum((parts.length ? parts : Object.keys(costs)).map((part) => costs[part]?.[cause]?.[kind] ?? 0));
    }
    trips(cause, ...parts) {
      return this.cost("statements", cause, ...parts) + 2 * this.cost("transactions", cause, ...parts);
    }
    idleTrips(...parts) {
      return this.idle("statements", ...parts) + 2 * this.idle("transactions", ...parts);
    }
    rows(cause) {
      return sum(Object.values(this.table.rows[cause]));
    }
    bytes(cause) {
      const sizes = this.table.bytes;
      return sum(Object.entries(this.table.rows[cause]).map(([table, count]) => count * (sizes[table] ?? 0)));
    }
    cpu(cause, ...parts) {
      const costs = this.table.cpu.costs;
      return sum((parts.length ? parts : Object.keys(costs)).map((part) => costs[part]?.[cause] ?? 0));
    }
    idleCpu(...parts) {
      const rates = this.table.cpu.idle;
      return sum((parts.length ? parts : Object.keys(rates)).map((part) => rates[part] ?? 0));
    }
    seconds(name) {
      return this.table.seconds[name];
    }
  }

  // How long one waits, on average, for those before (M/D/1): not at all at rest, for ever when full.
  function queue(load, service) {
    return load >= HEADROOM ? Infinity : (service * load) / (2 * (1 - load));
  }

  function at(asked, c) {
    const trip = asked.latency / 1000;
    const batch = asked.pattern === "stream" ? 1 : asked.batch;
    const spacing = { single: c.seconds("turn"), stream: 0, batch: GAP }[asked.pattern];
    const mine = asked.rate / asked.watchers;

    // From messages to events.
    const turn = (mine * spacing) / batch;
    let each = mine / Math.max(1, turn);
    if (batch > 1) each = Math.min(each, 1 / (spacing + Math.exp(-mine * spacing) / mine));
    const store = c.seconds("event") + c.trips("event", "triggerer") * trip;
    const persist = (asked.watchers * each * store) / asked.triggerers + c.idleTrips("triggerer") * trip;
    each /= Math.max(1, persist);
    const events = asked.watchers * each;
    const turns = asked.pattern === "single" ? events : 0;

    // From events to runs.
    const pass = c.seconds("pass") + c.idleTrips("scheduler") * trip;
    const made = spacing >= pass ? Math.min(each, 1 / pass) : (1 - Math.exp(-each * pass)) / pass;
    const runs = asked.watchers * asked.dags * made;
    const tasks = runs * asked.tasks;
    const links = events * asked.dags;

    const busy =
      runs * (c.cpu("run", "scheduler", "postgres") + c.trips("run", "scheduler") * trip) +
      tasks * (c.cpu("task", "scheduler") + c.trips("task", "scheduler") * trip) +
      c.idleCpu("scheduler") +
      c.idleTrips("scheduler") * trip;
    const slot = c.seconds("task") + asked.task_seconds + c.trips("task", "api") * trip;
    const life = c.seconds("run") + asked.tasks * slot;
    const cores =
      c.idleCpu() +
      (asked.triggerers - 1) * c.idleCpu("triggerer", "runner") +
      events * c.cpu("event") +
      turns * c.cpu("turn") +
      runs * c.cpu("run") +
      tasks * c.cpu("task");
    const loads = {
      turn,
      persist,
      scheduler: busy,
      active: (made * life) / asked.active,
      slots: (tasks * slot) / asked.slots,
      api: tasks * (c.cpu("task", "api") + c.trips("task", "api") * trip),
      cpu: cores / asked.cores,
      capacity: asked.watchers / (asked.triggerers * asked.capacity),
    };

    // Delays.
    let before = 0;
    if (asked.pattern !== "stream") {
      if (batch > 1) before = turn <= HEADROOM ? (spacing / 2) * (1 - Math.exp(-mine * spacing)) : Infinity;
      else before = queue(turn, spacing);
    }
    let toEvent = asked.poll / 2 + before + queue(persist, store) + c.trips("event", "triggerer") * trip;
    toEvent += c.seconds("to_event");
    const late = 1 - made / each;
    const toRun =
      toEvent + c.seconds("to_run") + late * pass + c.trips("run", "scheduler") * trip + queue(busy, pass);
    let toTask = toRun + c.seconds("to_task") + c.trips("task") * trip;
    for (const [name, one] of [["active", life], ["slots", slot], ["api", slot], ["cpu", slot]]) {
      toTask += queue(loads[name], one);
    }

    const more = asked.triggerers - 1;
    const total = (kind) =>
      c.idle(kind) +
      more * c.idle(kind, "triggerer") +
      c.parsing(kind, asked) +
      events * c.cost(kind, "event") +
      turns * c.cost(kind, "turn") +
      runs * c.cost(kind, "run") +
      tasks * c.cost(kind, "task");
    const perSecond = { event: events, link: links, run: runs, task: tasks };
    return {
      events,
      runs,
      tasks,
      idle_statements:
        c.idle("statements") +
        more * c.idle("statements", "triggerer") +
        c.parsing("statements", asked),
      statements: total("statements"),
      writes: total("writes"),
      rows: sum(Object.entries(perSecond).map(([cause, count]) => count * c.rows(cause))),
      bytes: sum(Object.entries(perSecond).map(([cause, count]) => count * c.bytes(cause))),
      cores,
      to_event: toEvent,
      to_run: toRun,
      to_task: toTask,
      loads,
      limit: Object.keys(loads).reduce((most, name) => (loads[name] > loads[most] ? name : most)),
      sustained: 0,
    };
  }

  function foresee(asked, table) {
    const constants = new Constants(table);
    const told = at(asked, constants);
    let low = 0;
    let high = HIGHEST;
    for (let step = 0; step < 60; step += 1) {
      const middle = Math.sqrt(Math.max(low, 1e-6) * high);
      if (Math.max(...Object.values(at({ ...asked, rate: middle }, constants).loads)) <= 1) low = middle;
      else high = middle;
    }
    return { ...told, sustained: low };
  }

  // Two digits, or the whole of a large number.
  function number(value) {
    if (value === 0) return "0";
    if (!Number.isFinite(value)) return "∞";
    const power = Math.floor(Math.log10(Math.abs(value)));
    const digits = Math.max(0, 1 - power);
    const unit = 10 ** (power - 1);
    return (Math.round(value / unit) * unit).toLocaleString("en", {
      minimumFractionDigits: digits,
      maximumFractionDigits: digits,
    });
  }

  function fill(text, values) {
    return text.replace(/\{(\w+)\}/g, (_, name) => values[name]);
  }

  // What is wrong with a field, empty where nothing is.
  function fault(field, words) {
    const { value, min, max, step } = field;
    const given = Number(value);
    if (value.trim() === "" || !Number.isFinite(given)) return words.no_number;
    if (given < Number(min) || given > Number(max)) return fill(words.range, { low: min, high: max });
    return step === "1" && !Number.isInteger(given) ? words.no_whole : "";
  }

  function read(form, words) {
    const asked = { pattern: form.elements.pattern.value };
    let right = true;
    for (const field of form.querySelectorAll("input[type=text]")) {
      const complaint = fault({ value: field.value, ...field.dataset }, words);
      document.getElementById(field.getAttribute("aria-describedby")).textContent = complaint;
      field.setAttribute("aria-invalid", complaint ? "true" : "false");
      right &&= !complaint;
      asked[field.name] = Number(field.value);
    }
    return right ? asked : null;
  }

  function show(box, told, asked, words) {
    const seconds = (value) => (Number.isFinite(value) ? fill(words.seconds, { value: number(value) }) : words.never);
    const lines = [
      fill(words.flow, {
        rate: number(asked.rate),
        events: number(told.events),
        runs: number(told.runs),
        tasks: number(told.tasks),
      }),
      fill(words.delay, { event: seconds(told.to_event), run: seconds(told.to_run), task: seconds(told.to_task) }),
      fill(words.database, {
        statements: number(told.statements),
        idle: number(told.idle_statements),
        writes: number(told.writes),
      }),
      fill(words.growth, { rows: number(told.rows * DAY), size: number((told.bytes * DAY) / 1e9) }),
      fill(words.cores, { cores: number(told.cores) }),
    ];
    const list = box.querySelector("[data-lines]");
    list.replaceChildren(...lines.map((line) => Object.assign(document.createElement("li"), { textContent: line })));
    for (const row of box.querySelectorAll("[data-limit]")) {
      const load = told.loads[row.dataset.limit];
      const text = `${Math.round(load * 100).toLocaleString("en")} %`;
      row.querySelector("[data-taken]").textContent = text;
      row.querySelector("[data-bar]").style.width = `${Math.min(1, load) * 100}%`;
      row.classList.toggle("first", row.dataset.limit === told.limit);
      row.classList.toggle("over", load > 1);
    }
    const first = fill(words.first, { limit: words.limits[told.limit], sustained: number(told.sustained) });
    const over = told.loads[told.limit] > 1 ? ` ${words.too_much}` : "";
    box.querySelector("[data-first]").textContent = first + over;
  }

  function wire(box) {
    const { constants, words } = JSON.parse(box.querySelector("script[type='application/json']").textContent);
    const form = box.querySelector("form");
    form.addEventListener("submit", (event) => event.preventDefault());
    const update = () => {
      const batch = form.elements.batch;
      batch.disabled = form.elements.pattern.value === "stream";
      const asked = read(form, words);
      if (asked) show(box, foresee(asked, constants), asked, words);
    };
    form.addEventListener("input", update);
    for (const button of box.querySelectorAll("[data-example]")) {
      button.addEventListener("click", () => {
        for (const [name, value] of Object.entries(JSON.parse(button.dataset.example))) form.elements[name].value = value;
        update();
      });
    }
    box.querySelector("[data-answer]").hidden = false;
    update();
  }

  globalThis.capacityPlan = { foresee, number };
  if (globalThis.document) {
    document.addEventListener("DOMContentLoaded", () => document.querySelectorAll("[data-capacity]").forEach(wire));
  }
})();
