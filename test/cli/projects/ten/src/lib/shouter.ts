export enum Loudness {
  Low,
  High,
}

function twice(_target: object, _name: string, descriptor: PropertyDescriptor): void {
  const shout = descriptor.value as (text: string) => string;
  descriptor.value = function (this: Shouter, text: string) {
    return `${shout.call(this, text)} ${shout.call(this, text)}`;
  };
}

export class Shouter {
  constructor(private readonly loudness: Loudness) {}

  @twice
  shout(text: string): string {
    return this.loudness === Loudness.High ? text.toUpperCase() : text;
  }
}
