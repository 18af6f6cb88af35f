/* SPDX-License-Identifier: Apache-2.0 */
/** One message as bytes: the stored layout, its properties, batches and ids. Knows nothing of frames or JSON. */
package io.waybill.protocol.message;
