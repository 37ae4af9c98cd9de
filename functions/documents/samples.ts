export const samples: {title:string;text:string}[] = [{title:"x",text:"Hello there."}];
