// Hydrogen has no box for addresses. This page has one, and signs in as whoever is signed in to Hydrogen in this browser.

import * as sdk from "matrix-js-sdk";
import { signInToIdentityService, startChat } from "./typed.mjs";

async function start(address) {
    const [session] = JSON.parse(localStorage.getItem("hydrogen_sessions_v1"));
    const found = await sdk.AutoDiscovery.findClientConfig(location.host);
    let token;
    const client = sdk.createClient({
        baseUrl: found["m.homeserver"].base_url,
        idBaseUrl: found["m.identity_server"].base_url,
        identityServer: { getAccessToken: async () => token },
        userId: session.userId,
        deviceId: session.deviceId,
        accessToken: session.accessToken,
    });
    token = await signInToIdentityService(sdk, client);
    return startChat(client, address, token);
}

document.querySelector("form").addEventListener("submit", async (event) => {
    event.preventDefault();
    const output = document.querySelector("output");
    try {
        const { room } = await start(document.querySelector("input").value);
        output.textContent = `Chat: ${room}`;
    } catch (error) {
        output.textContent = `Failed: ${error.stack ?? error}`;
    }
});
