// Storage of the browser, which may be full or forbidden: then what is in memory has to do.

export const memory = {
  read(key, fallback) {
    try {
      const found = localStorage.getItem("evidence." + key);
      return found === null ? fallback : JSON.parse(found);
    } catch (error) {
      return fallback;
    }
  },
  write(key, value) {
    try {
      if (value === null) localStorage.removeItem("evidence." + key);
      else localStorage.setItem("evidence." + key, JSON.stringify(value));
      return true;
    } catch (error) {
      return false;
    }
  },
  keys(prefix) {
    try {
      return Object.keys(localStorage)
        .filter((key) => key.startsWith("evidence." + prefix))
        .map((key) => key.slice("evidence.".length));
    } catch (error) {
      return [];
    }
  },
};
