// The whole of the web client Hydrogen. Its homeserver is where this page is from.

import { FeatureSet, Platform, RootViewModel, createNavigation, createRouter } from "hydrogen-view-sdk";

const assetPaths = {
    downloadSandbox: "assets/download-sandbox.html",
    worker: "assets/main.js",
    serviceWorker: "sw.js",
    olm: { wasm: "olm.wasm", legacyBundle: "olm_legacy.js", wasmBundle: "olm.js" },
};
const config = { defaultHomeServer: location.origin, themeManifests: [], defaultTheme: {} };
const platform = new Platform({ container: document.body, assetPaths, config, options: { development: false } });
await platform.init();
const navigation = createNavigation();
platform.setNavigation(navigation);
const urlRouter = createRouter({ navigation, history: platform.history });
urlRouter.attach();
const features = await FeatureSet.load(platform.settingsStorage);
const root = new RootViewModel({ platform, urlRouter, navigation, features });
await root.load();
platform.createAndMountRootView(root);

/// What Hydrogen has of the room that is open, also what it shows nobody.
window.openRoom = () => {
    const timeline = root.sessionViewModel?.currentRoomViewModel?.timelineViewModel?._timeline;
    const events = [...(timeline?.entries ?? [])].filter((entry) => entry.eventType);
    return events.map(({ id, eventType, content }) => ({ id, type: eventType, content }));
};
