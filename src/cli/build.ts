export async function build(_args: readonly string[]): Promise<number> { return 1; }
