// A chat with whoever has an address that somebody typed: step by step what Element does. The library comes as an argument, since in
// a page and outside of one it is found in different ways.

/// The token of the identity service for this user, whose homeserver vouches for them; its terms are accepted.
export async function signInToIdentityService({ SERVICE_TYPES }, client) {
    const { access_token, token } = await client.registerWithIdentityServer(await client.getOpenIdToken());
    const signed = access_token ?? token;
    const { policies } = await client.getTerms(SERVICE_TYPES.IS, client.getIdentityServerUrl());
    const urls = Object.values(policies).map((policy) => (policy.de ?? policy.en).url);
    if (urls.length) {
        await client.agreeToTerms(SERVICE_TYPES.IS, client.getIdentityServerUrl(), signed, urls);
    }
    return signed;
}

/// Begins a direct chat. What the client knew of the address before, and the room.
export async function startChat(client, address, token) {
    const found = await client.lookupThreePid("email", address, token);
    const whom = found.mxid
        ? { invite: [found.mxid] }
        : { invite_3pid: [{ id_server: client.getIdentityServerUrl(true), medium: "email", address }] };
    const room = await client.createRoom({ preset: "trusted_private_chat", is_direct: true, ...whom });
    const direct = (await client.getAccountDataFromServer("m.direct")) ?? {};
    const key = found.mxid ?? address;
    await client.setAccountData("m.direct", { ...direct, [key]: [...(direct[key] ?? []), room.room_id] });
    return { known: found.mxid ?? null, room: room.room_id };
}
