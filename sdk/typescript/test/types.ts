// Compiled, never run: what the types allow and what they refuse.
import { createClient, type Schemas } from "cv-service-client";

const cv = createClient();
const file = new Blob();

export async function typed(): Promise<void> {
  const seen: Schemas["FaceRecognitionResponse"] = await cv.recognizeFace({ body: { image: file, camera_id: "door" } });
  await cv.recognizeFace({ body: { image: "base64", camera_id: "door" }, idempotencyKey: seen.employee_id ?? "" });
  // @ts-expect-error  a camera is needed
  await cv.recognizeFace({ body: { image: file } });
  // @ts-expect-error  the person is named in the path
  await cv.getPerson();
  // @ts-expect-error  no such operation
  await cv.recognise();
  // @ts-expect-error  a health probe has no body
  await cv.getHealth({ body: {} });
  const csv: Blob = await cv.exportInvoices({ query: { format: "csv" } });
  const metrics: string = await cv.getMetrics();
  for await (const person of cv.each("listPeople")) console.log(person.employee_id, csv.size, metrics.length);
  // @ts-expect-error  a room's status is no list
  cv.each("getRoomStatus");
  for await (const event of cv.events({ types: ["attendance.events", "room.status_changed"] })) {
    if (event.type === "attendance.events") console.log(event.data.employee_id);
    // @ts-expect-error  a room has no employee
    else console.log(event.data.employee_id);
  }
}
