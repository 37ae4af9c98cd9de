export async function init(_args: readonly string[]): Promise<number> { return 1; }
