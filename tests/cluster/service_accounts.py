"""Accounts of one namespace, their tokens, and what they may."""

ROLES = "/apis/rbac.authorization.k8s.io/v1/namespaces/{}/{}"
REVIEWS = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
MANY = 1000
SHORTEST = 600
"""Seconds that a token is good for, at the least."""


async def add_account(namespace, name):
    """Make an account; give a token of it."""
    await namespace.post("serviceaccounts", {"metadata": {"name": name}})
    return await token_of(namespace, name)


async def token_of(namespace, name):
    asked = {"spec": {"expirationSeconds": SHORTEST}}
    path = namespace.path("serviceaccounts", name, "token")
    return (await namespace.requests.ask("POST", path, asked))["status"]["token"]


async def may(namespace, account, rules):
    """Let an account do what these rules of a Role say, and nothing else."""
    roles = ROLES.format(namespace.name, "roles")
    await namespace.requests.ask("POST", roles, {"metadata": {"name": account}, "rules": rules})
    bound = {
        "metadata": {"name": account},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": account},
        "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": namespace.name}],
    }
    await namespace.requests.ask("POST", ROLES.format(namespace.name, "rolebindings"), bound)
    for rule in rules[:1]:
        await until_allowed(namespace, account, rule["verbs"][0], rule["apiGroups"][0], rule["resources"][0])


async def until_allowed(namespace, account, verb, group, resource):
    """Ask until the API server has heard of it: it reads its own roles as a client does."""
    for _ in range(MANY):
        if await is_allowed(namespace, account, verb, group, resource):
            return
    raise AssertionError(account, verb, group, resource)


async def is_allowed(namespace, account, verb, group, resource):
    resource, _, part = resource.partition("/")
    attributes = {"namespace": namespace.name, "verb": verb, "group": group, "resource": resource, "subresource": part}
    user = f"system:serviceaccount:{namespace.name}:{account}"
    review = {"spec": {"user": user, "resourceAttributes": attributes}}
    return (await namespace.requests.ask("POST", REVIEWS, review))["status"]["allowed"]
